// SPDX-License-Identifier: Apache-2.0
#include "vswitch/event_log.h"

#include <stdlib.h>

#include "vswitch/log.h"

struct event_log {
	struct store *store;
	struct event *timer;
	event_log_send *send;
	void *context;
	json_t *waiting; // [[name, params]], noted
	json_t *keys;    // key -> true, of those
	json_t *staged;  // the same of the transaction in progress; their numbers begin at `next`
	int64_t before;  // the newest that is known of earlier processes
	int64_t first;   // this process gives out numbers from here on
	int64_t next;
	int64_t lost;   // the last that is not kept, whether that is written or not
	bool unwritten; // there is something to write without an event
	bool failed;    // the last attempt to write did
};

static void timer_set(struct event_log *log, int ms)
{
	struct timeval pause = {ms / 1000, ms % 1000 * 1000};

	evtimer_add(log->timer, &pause);
}

// --- Within a transaction ---

bool event_log_stage(
	struct event_log *log, const char *name, json_t *params, struct rpc_error *error)
{
	int64_t seq = log->next + (int64_t)json_array_size(log->staged);
	char *text = json_dumps(params, JSON_COMPACT);
	bool good;

	// Its parameters are ours from here on.
	if (json_array_append_new(log->staged, json_pack("[s, o]", name, params)) < 0 || !text) {
		rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
		free(text);
		return false;
	}
	good = store_event_put(log->store, seq, name, text, error) == 0;
	free(text);
	return good;
}

// Lost ones and numbers go along with whatever is written.
static bool seal(struct event_log *log, struct rpc_error *error)
{
	int64_t end = log->next + (int64_t)json_array_size(log->staged);
	bool reserve = store_events(log->store)->numbers - end < EVENT_LOG_RESERVE / 2;

	store_events_raise(log->store, log->lost, reserve ? end + EVENT_LOG_RESERVE : 0);
	return store_events_prune(log->store, EVENT_LOG_COUNT, EVENT_LOG_BYTES, error) == 0;
}

bool event_log_seal(struct event_log *log, struct rpc_error *error)
{
	return json_array_size(log->staged) == 0 || seal(log, error);
}

static void send_numbered(struct event_log *log, const json_t *item)
{
	json_t *params = json_array_get(item, 1);

	json_object_set_new(params, "seq", json_integer(log->next++));
	log->send(log->context, json_string_value(json_array_get(item, 0)), json_incref(params));
}

void event_log_commit(struct event_log *log)
{
	size_t i;
	json_t *item;

	if (json_array_size(log->staged) == 0)
		return;
	json_array_foreach (log->staged, i, item) {
		send_numbered(log, item);
	}
	json_array_clear(log->staged);
	log->lost = store_events(log->store)->lost;
}

void event_log_abort(struct event_log *log)
{
	json_array_clear(log->staged);
}

// --- What was noted ---

void event_log_note(struct event_log *log, const char *name, const char *key, json_t *params)
{
	if (key && json_object_get(log->keys, key)) {
		json_decref(params);
		return;
	}
	if (key)
		json_object_set_new(log->keys, key, json_true());
	if (json_array_size(log->waiting) == 0)
		timer_set(log, EVENT_LOG_PAUSE_MS);
	json_array_append_new(log->waiting, json_pack("[s, o]", name, params));
}

static bool write_waiting(struct event_log *log, const json_t *waiting, struct rpc_error *error)
{
	bool good = store_begin(log->store, error) == 0;
	size_t i;
	json_t *item;

	json_array_foreach ((json_t *)waiting, i, item) {
		good = good && event_log_stage(log, json_string_value(json_array_get(item, 0)),
				       json_incref(json_array_get(item, 1)), error);
	}
	good = good && seal(log, error) && store_commit(log->store, error) == 0;
	if (!good) {
		store_rollback(log->store);
		event_log_abort(log);
	}
	return good;
}

// They are lost for those who are not there. A number that is not reserved might come again.
static void send_unwritten(struct event_log *log, const json_t *waiting)
{
	size_t i;
	json_t *item;

	json_array_foreach ((json_t *)waiting, i, item) {
		if (log->next < store_events(log->store)->numbers) {
			log->lost = log->next;
			send_numbered(log, item);
		} else {
			log->send(log->context, json_string_value(json_array_get(item, 0)),
				json_incref(json_array_get(item, 1)));
		}
	}
}

static void told_failure(struct event_log *log, const char *message)
{
	if (!log->failed)
		log_warning("events are sent, but not kept: %s", message);
	log->unwritten = log->failed = true;
	timer_set(log, EVENT_LOG_RETRY_MS);
}

static void told_success(struct event_log *log)
{
	if (log->failed)
		log_info("events are kept again; those up to number %lld are lost for who was away",
			(long long)log->lost);
	log->unwritten = log->failed = false;
}

static void flush(struct event_log *log)
{
	json_t *waiting = log->waiting;
	struct rpc_error error = {0};

	if (json_array_size(waiting) == 0 && !log->unwritten)
		return;
	log->waiting = json_array();
	json_object_clear(log->keys);
	if (write_waiting(log, waiting, &error)) {
		event_log_commit(log);
		log->lost = store_events(log->store)->lost;
		told_success(log);
	} else {
		send_unwritten(log, waiting);
		told_failure(log, error.message);
	}
	json_decref(waiting);
	rpc_error_clear(&error);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	flush(context);
}

// --- Those who resume ---

static bool read_event(
	void *context, int64_t seq, const char *name, const char *params, struct rpc_error *error)
{
	json_t *object = params ? json_loads(params, 0, NULL) : NULL;

	if (!json_is_object(object) || !name) {
		rpc_error_set(error, RPC_INTERNAL_ERROR,
			"event %lld of the database is damaged; read the state anew, and go on "
			"from the number that events.since answers without parameters",
			(long long)seq);
		json_decref(object);
		return false;
	}
	json_object_set_new(object, "seq", json_integer(seq));
	json_array_append_new(context, json_pack("{s:s, s:o}", "method", name, "params", object));
	return true;
}

// Who has seen a number that is not known was told what could not be written, or by another
// database; in both cases there may be more.
static bool is_complete(const struct event_log *log, int64_t since)
{
	bool unknown = since >= log->next || (since > log->before && since < log->first);

	return since >= log->lost && !unknown;
}

json_t *event_log_since(struct event_log *log, int64_t since, struct rpc_error *error)
{
	int64_t newest = log->next > log->first ? log->next - 1 : log->before;
	json_t *events = json_array();

	if (since >= 0 && store_events_read(log->store, since, read_event, events, error) < 0) {
		json_decref(events);
		return NULL;
	}
	return json_pack("{s:o, s:I, s:b}", "events", events, "seq", (json_int_t)newest, "complete",
		(int)(since < 0 || is_complete(log, since)));
}

// --- Life ---

struct event_log *event_log_create(
	struct event_base *base, struct store *store, event_log_send *send, void *context)
{
	const struct store_events *events = store_events(store);
	struct event_log *log = calloc(1, sizeof(*log));

	if (!log)
		return NULL;
	*log = (struct event_log){
		.store = store,
		.send = send,
		.context = context,
		.timer = evtimer_new(base, on_timer, log),
		.waiting = json_array(),
		.keys = json_object(),
		.staged = json_array(),
		.before = events->newest,
		.first = events->numbers,
		.next = events->numbers,
		.lost = events->lost,
	};
	if (!log->timer || !log->waiting || !log->keys || !log->staged) {
		event_log_destroy(log);
		return NULL;
	}
	// Numbers have to be reserved before one is given out.
	log->unwritten = true;
	flush(log);
	return log;
}

void event_log_destroy(struct event_log *log)
{
	if (!log)
		return;
	flush(log);
	if (log->timer)
		event_free(log->timer);
	json_decref(log->waiting);
	json_decref(log->keys);
	json_decref(log->staged);
	free(log);
}
