// SPDX-License-Identifier: Apache-2.0
#pragma once

// How vsctl prints results for people, in the shapes that Open vSwitch's users know. Pure: from
// the results of a command's calls (an array) to text. They print what is there; members that a
// daemon of another version does not send are left out or count as zero. All have the signature
// of vsctl_command.print and return an exit status.

#include "vswitch/vsctl_commands.h"

int vsctl_print_show(const struct vsctl_request *request, const json_t *results, FILE *out);
int vsctl_print_lines(const struct vsctl_request *request, const json_t *results, FILE *out);
int vsctl_print_values(const struct vsctl_request *request, const json_t *results, FILE *out);
int vsctl_print_records(const struct vsctl_request *request, const json_t *results, FILE *out);
int vsctl_print_tree(const struct vsctl_request *request, const json_t *results, FILE *out);
int vsctl_print_raw(const struct vsctl_request *request, const json_t *results, FILE *out);
int vsctl_print_restart(const struct vsctl_request *request, const json_t *results, FILE *out);
int vsctl_print_versions(const struct vsctl_request *request, const json_t *results, FILE *out);
int vsctl_print_rxqs(const struct vsctl_request *request, const json_t *results, FILE *out);
int vsctl_print_pmd_stats(const struct vsctl_request *request, const json_t *results, FILE *out);
int vsctl_print_pmd_perf(const struct vsctl_request *request, const json_t *results, FILE *out);
int vsctl_print_rebalance(const struct vsctl_request *request, const json_t *results, FILE *out);
int vsctl_print_drops(const struct vsctl_request *request, const json_t *results, FILE *out);
int vsctl_print_fdb(const struct vsctl_request *request, const json_t *results, FILE *out);
int vsctl_print_fdb_stats(const struct vsctl_request *request, const json_t *results, FILE *out);

// Prints nothing; the exit status tells whether the bridge of br-exists is in the list.
int vsctl_print_exists(const struct vsctl_request *request, const json_t *results, FILE *out);
