// SPDX-License-Identifier: Apache-2.0
#pragma once

// The desired state on disk: one SQLite file with rows, flows, objects (groups and meters, by the
// name of their kind), the next flow identifier, and a journal of events.
//
// What store_commit() has returned 0 for survives the death of the process and of the machine
// (write-ahead log, synchronous=FULL). Everything between store_begin() and store_commit() is in
// the file as a whole or not at all. The file is held exclusively while it is open, so that two
// daemons cannot write to one. One thread.
//
// An object or flow that is put again keeps the time of its creation.
//
// All functions return 0 or a negative errno with *error set, a sentence that names the file and
// what to do about it. After an error of a change the transaction must be rolled back.

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "rpc/rpc_error.h"

struct store;

// Opens or makes the file (and its directory), and brings one of an older version to the present
// one. NULL with *error: not readable, not a database of
// this program, written by a newer version, damaged, cut off, its log without it, or in use.
struct store *store_open(const char *path, struct rpc_error *error);
void store_close(struct store *store);
const char *store_path(const struct store *store);

// Hand out all that is stored: rows first, then objects and flows, both by bridge and identifier. A
// callback that returns false has set *error and ends the reading.
struct store_reader {
	void *context;
	bool (*row)(void *context, const char *table, const char *uuid, json_t *columns,
		struct rpc_error *error);
	bool (*flow)(void *context, const char *bridge_uuid, uint64_t id, int64_t created_ms,
		const char *text, struct rpc_error *error);
	bool (*object)(void *context, const char *bridge_uuid, const char *kind, uint32_t id,
		int64_t created_ms, const char *text, struct rpc_error *error);
};
int store_read(struct store *store, const struct store_reader *reader, struct rpc_error *error);

// Flow identifiers below this have been given out.
uint64_t store_next_flow_id(const struct store *store);

// Write a copy of what is committed to a file that is not there yet; it appears there whole. Takes
// as long as writing it does, and a transaction must not be in progress.
int store_backup(struct store *store, const char *path, struct rpc_error *error);

// Refused if the file was moved away or replaced since it was opened: what is written to it would
// be lost.
int store_begin(struct store *store, struct rpc_error *error);
int store_row_put(struct store *store, const char *table, const char *uuid, const json_t *columns,
	struct rpc_error *error);
int store_row_remove(struct store *store, const char *uuid, struct rpc_error *error);
int store_flow_put(struct store *store, const char *bridge_uuid, uint64_t id, int64_t created_ms,
	const char *text, struct rpc_error *error);
int store_flow_remove(
	struct store *store, const char *bridge_uuid, uint64_t id, struct rpc_error *error);
int store_object_put(struct store *store, const char *bridge_uuid, const char *kind, uint32_t id,
	int64_t created_ms, const char *text, struct rpc_error *error);
int store_object_remove(struct store *store, const char *bridge_uuid, const char *kind, uint32_t id,
	struct rpc_error *error);
// All flows and objects of a bridge.
int store_bridge_clear(struct store *store, const char *bridge_uuid, struct rpc_error *error);
int store_commit(struct store *store, struct rpc_error *error); // failing means rolled back
void store_rollback(struct store *store);

// --- The journal of events (event_log.h, which gives the numbers) ---

struct store_events {
	int64_t newest;  // number of the last event that is kept; 0: there was none
	int64_t lost;    // of the last that is not kept any more, or never was; 0: none
	int64_t numbers; // from here on no event has a number, nor had one
	int64_t count;   // of those that are kept
	int64_t bytes;   // of their parameters
};

// As committed; good until the store is closed.
const struct store_events *store_events(const struct store *store);

// Within a transaction: add an event, whose number is larger than all before.
int store_event_put(struct store *store, int64_t seq, const char *name, const char *params,
	struct rpc_error *error);
// Have at least these as `lost` and `numbers`.
void store_events_raise(struct store *store, int64_t lost, int64_t numbers);
// Remove the oldest, which are lost then, until so many are left and so many bytes.
int store_events_prune(struct store *store, int64_t count, int64_t bytes, struct rpc_error *error);

// Those with larger numbers than `since`, in order. A callback that returns false has set *error
// and ends the reading.
typedef bool store_event_reader(
	void *context, int64_t seq, const char *name, const char *params, struct rpc_error *error);
int store_events_read(struct store *store, int64_t since, store_event_reader *reader, void *context,
	struct rpc_error *error);
