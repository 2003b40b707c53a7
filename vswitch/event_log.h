// SPDX-License-Identifier: Apache-2.0
#pragma once

// What tells of state (state_events.h) is numbered, kept in the store, and then sent to all
// clients, so that one that was away, or whose vswitchd was, resumes behind the last that it has
// seen.
//
// Two ways in. event_log_stage() writes an event in the transaction of the store that is in
// progress: it is told if that is committed, and never was otherwise. event_log_note() may come at
// any time, also in the midst of a call to the datapath; what was noted within EVENT_LOG_PAUSE_MS
// is written as one transaction, so that a flood costs a few writes. Either way an event is sent
// after it is on disk, in the order of the numbers.
//
// What cannot be written, on a full disk, is sent nevertheless. It is lost for those who resume,
// who are told so.
//
// Numbers only grow, for as long as there is the database. Those of events that could not be
// written must not come again either, so they are reserved ahead: a vswitchd begins behind all that
// the one before may have given out. Numbers are skipped therefore; that is no loss. When nothing
// can be written for so long that the reserve is used up, events are sent without a number.
//
// One thread, that of the event base.

#include <stdbool.h>
#include <stdint.h>

#include <event2/event.h>
#include <jansson.h>

#include "vswitch/store.h"

#define EVENT_LOG_COUNT 10000
#define EVENT_LOG_BYTES (4 << 20)
#define EVENT_LOG_RESERVE 1000000 // numbers
#define EVENT_LOG_PAUSE_MS 5
#define EVENT_LOG_RETRY_MS 1000 // until it is tried again to write what was lost

struct event_log;

// Sends to all clients; steals params.
typedef void event_log_send(void *context, const char *name, json_t *params);

// NULL: no memory. The store, which is lent, may be one that cannot be written now.
struct event_log *event_log_create(
	struct event_base *base, struct store *store, event_log_send *send, void *context);

// Writes what was noted. NULL is fine.
void event_log_destroy(struct event_log *log);

// Steals params, an object. With `key`, it is the same as one with that key that waits already.
void event_log_note(struct event_log *log, const char *name, const char *key, json_t *params);

// Within a transaction of the store; steals params. False with *error: it has to be rolled back.
bool event_log_stage(
	struct event_log *log, const char *name, json_t *params, struct rpc_error *error);
// After the last, before the commit. Nothing, if there are none.
bool event_log_seal(struct event_log *log, struct rpc_error *error);
// The transaction was committed: send them. Or it was not.
void event_log_commit(struct event_log *log);
void event_log_abort(struct event_log *log);

// {"events": [{"method", "params"}], "seq": the newest number, "complete": all after `since` are
// there}. `since` below 0: no events. Everything that was sent has a number up to seq, everything
// that will be has one above. NULL with *error.
json_t *event_log_since(struct event_log *log, int64_t since, struct rpc_error *error);
