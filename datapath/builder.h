// SPDX-License-Identifier: Apache-2.0
#pragma once

// A thread that builds classifiers for flow tables, one at a time, for the whole process. It runs
// on the cores of the control thread, which goes before it, and touches nothing but the job that it
// was given. All functions: control thread.

struct builder;
struct datapath;

struct builder *builder_create(void); // NULL with errno
// Waits until the job that is under way, if any, is done: a few seconds at most. Bridges may be
// gone already or go later.
void builder_destroy(struct builder *builder);

// Called several times a second: ends what is done, and looks for something to build.
void builder_step(struct builder *builder, struct datapath *datapath);
