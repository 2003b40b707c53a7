// SPDX-License-Identifier: Apache-2.0
//
// The store's journal of events. What is kept is counted here, so that nothing has to be asked to
// know whether it is too much.

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "vswitch/store_private.h"

// Numbers that every JSON parser reads exactly; no journal of ours gets near.
#define NUMBER_MAX ((int64_t)1 << 53)

int store_events_open(struct store *store, struct rpc_error *error)
{
	struct store_events *events = &store->events;
	int64_t lost = 0;
	int64_t numbers = 1;
	int rc = store_query_integer(store, "SELECT max(seq) FROM events", &events->newest, error);

	if (!rc)
		rc = store_query_integer(store,
			"SELECT value FROM counters WHERE name = 'events_lost'", &lost, error);
	if (!rc)
		rc = store_query_integer(store,
			"SELECT value FROM counters WHERE name = 'event_numbers'", &numbers, error);
	if (!rc)
		rc = store_query_integer(
			store, "SELECT count(*) FROM events", &events->count, error);
	if (!rc)
		rc = store_query_integer(store,
			"SELECT sum(length(CAST(params AS BLOB))) FROM events", &events->bytes,
			error);
	if (rc)
		return rc;
	if (events->newest < 0 || events->newest >= NUMBER_MAX || lost < 0 || lost >= NUMBER_MAX ||
		numbers < 0 || numbers >= NUMBER_MAX) {
		rpc_error_set(error, RPC_INTERNAL_ERROR,
			"%s is damaged (numbers of events); put a backup in its place",
			store->path);
		return -EIO;
	}
	if (events->newest < lost)
		events->newest = lost;
	events->lost = lost;
	events->numbers = numbers > events->newest ? numbers : events->newest + 1;
	return 0;
}

const struct store_events *store_events(const struct store *store)
{
	return &store->events;
}

int store_event_put(struct store *store, int64_t seq, const char *name, const char *params,
	struct rpc_error *error)
{
	sqlite3_stmt *statement = store->statements[EVENT_PUT];
	struct store_events *events = &store->events_staged;

	sqlite3_bind_int64(statement, 1, seq);
	sqlite3_bind_text(statement, 2, name, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 3, params, -1, SQLITE_STATIC);
	events->newest = seq;
	events->count++;
	events->bytes += (int64_t)strlen(params);
	return store_run(store, EVENT_PUT, error);
}

void store_events_raise(struct store *store, int64_t lost, int64_t numbers)
{
	struct store_events *events = &store->events_staged;

	events->lost = lost > events->lost ? lost : events->lost;
	events->numbers = numbers > events->numbers ? numbers : events->numbers;
}

int store_events_prune(struct store *store, int64_t count, int64_t bytes, struct rpc_error *error)
{
	sqlite3_stmt *oldest = store->statements[EVENTS_OLDEST];
	struct store_events *events = &store->events_staged;
	int64_t last = 0;
	int rc = SQLITE_ROW;

	if (events->count <= count && events->bytes <= bytes)
		return 0;
	while ((events->count > count || events->bytes > bytes) &&
		(rc = sqlite3_step(oldest)) == SQLITE_ROW) {
		last = sqlite3_column_int64(oldest, 0);
		events->count--;
		events->bytes -= sqlite3_column_int64(oldest, 1);
	}
	rc = rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : store_error(store, rc, "read", error);
	sqlite3_reset(oldest);
	if (rc)
		return rc;
	store_events_raise(store, last, 0);
	sqlite3_bind_int64(store->statements[EVENTS_REMOVE], 1, last);
	return store_run(store, EVENTS_REMOVE, error);
}

int store_events_commit(struct store *store, struct rpc_error *error)
{
	sqlite3_stmt *statement = store->statements[EVENT_COUNTERS_PUT];
	const struct store_events *events = &store->events_staged;

	if (events->lost == store->events.lost && events->numbers == store->events.numbers)
		return 0;
	sqlite3_bind_int64(statement, 1, events->lost);
	sqlite3_bind_int64(statement, 2, events->numbers);
	return store_run(store, EVENT_COUNTERS_PUT, error);
}

int store_events_read(struct store *store, int64_t since, store_event_reader *reader, void *context,
	struct rpc_error *error)
{
	sqlite3_stmt *next = store->statements[EVENTS_NEXT];
	bool good = true;
	int rc;

	sqlite3_bind_int64(next, 1, since);
	while ((rc = sqlite3_step(next)) == SQLITE_ROW && good)
		good = reader(context, sqlite3_column_int64(next, 0),
			(const char *)sqlite3_column_text(next, 1),
			(const char *)sqlite3_column_text(next, 2), error);
	rc = rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : store_error(store, rc, "read", error);
	sqlite3_reset(next);
	return good ? rc : -EINVAL;
}
