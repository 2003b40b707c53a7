// SPDX-License-Identifier: Apache-2.0
//
// The journal of events with a real store: what is told, what is kept, what is said to be missing.

#include "cmocka_all.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "vswitch/event_log.h"
#include "vswitch/log.h"

struct fixture {
	char dir[64];
	char path[128];
	struct event_base *base;
	struct store *store;
	struct event_log *log;
	json_t *sent; // [[name, params]]
	struct rpc_error error;
};

static void on_send(void *context, const char *name, json_t *params)
{
	struct fixture *f = context;

	json_array_append_new(f->sent, json_pack("[s, o]", name, params));
}

static void open_log(struct fixture *f)
{
	f->store = store_open(f->path, &f->error);
	if (!f->store)
		fail_msg("%s", f->error.message);
	f->log = event_log_create(f->base, f->store, on_send, f);
	assert_non_null(f->log);
}

static void close_log(struct fixture *f)
{
	event_log_destroy(f->log);
	store_close(f->store);
}

// The number of the next event, and nothing sent yet.
static int64_t reopen(struct fixture *f)
{
	close_log(f);
	json_array_clear(f->sent);
	open_log(f);
	return store_events(f->store)->numbers - EVENT_LOG_RESERVE;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	log_set_level("error");
	signal(SIGXFSZ, SIG_IGN);
	snprintf(f->dir, sizeof(f->dir), "/tmp/turnout-events-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/t.db", f->dir);
	f->base = event_base_new();
	f->sent = json_array();
	open_log(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];

	close_log(f);
	event_base_free(f->base);
	json_decref(f->sent);
	rpc_error_clear(&f->error);
	snprintf(command, sizeof(command), "rm -rf '%s'", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

// --- Doing ---

static void note(struct fixture *f, int value)
{
	event_log_note(f->log, "noted", NULL, json_pack("{s:i}", "v", value));
}

static void wait_sent(struct fixture *f, size_t count)
{
	while (json_array_size(f->sent) < count)
		event_base_loop(f->base, EVLOOP_ONCE);
	assert_int_equal(json_array_size(f->sent), count);
}

static void stage(struct fixture *f, int from, int count, json_t *more)
{
	assert_int_equal(store_begin(f->store, &f->error), 0);
	for (int i = from; i < from + count; i++)
		assert_true(event_log_stage(f->log, "staged",
			json_pack("{s:i, s:O?}", "v", i, "more", more), &f->error));
	assert_true(event_log_seal(f->log, &f->error));
}

static void commit(struct fixture *f)
{
	assert_int_equal(store_commit(f->store, &f->error), 0);
	event_log_commit(f->log);
}

// --- Looking ---

static int64_t number(const json_t *params, const char *name)
{
	assert_true(json_is_integer(json_object_get(params, name)));
	return json_integer_value(json_object_get(params, name));
}

static int64_t sent_seq(struct fixture *f, size_t index)
{
	return number(json_array_get(json_array_get(f->sent, index), 1), "seq");
}

// What events.since answers: so many events, from this value on, and whether that is all.
static int64_t assert_since(
	struct fixture *f, int64_t since, size_t count, int first, bool complete)
{
	json_t *answer = event_log_since(f->log, since, &f->error);
	const json_t *events = json_object_get(answer, "events");
	int64_t newest = number(answer, "seq");
	int64_t last = since;
	size_t i;
	json_t *event;

	assert_int_equal(json_array_size(events), count);
	assert_int_equal(json_is_true(json_object_get(answer, "complete")), complete);
	json_array_foreach (events, i, event) {
		const json_t *params = json_object_get(event, "params");

		assert_int_equal(number(params, "v"), first + (int)i);
		assert_true(number(params, "seq") > last);
		last = number(params, "seq");
	}
	assert_true(count == 0 || last == newest);
	json_decref(answer);
	return newest;
}

static void set_file_limit(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

// --- Tests ---

static void test_order_and_restart(void **state)
{
	struct fixture *f = *state;
	int64_t begin = assert_since(f, -1, 0, 0, true);
	int64_t last, after;

	note(f, 0);
	note(f, 1);
	assert_int_equal(json_array_size(f->sent), 0); // not before they are on disk
	assert_since(f, begin, 0, 0, true);
	wait_sent(f, 2);
	stage(f, 2, 3, NULL);
	assert_int_equal(json_array_size(f->sent), 2);
	commit(f);
	assert_int_equal(json_array_size(f->sent), 5);
	for (size_t i = 1; i < 5; i++)
		assert_int_equal(sent_seq(f, i), sent_seq(f, i - 1) + 1);
	last = assert_since(f, begin, 5, 0, true);
	assert_int_equal(last, sent_seq(f, 4));
	assert_since(f, sent_seq(f, 1), 3, 2, true);
	assert_since(f, last, 0, 0, true);
	// One that is noted, but neither written nor sent when the end comes, is kept.
	note(f, 5);
	assert_true(reopen(f) > last + 1);
	after = assert_since(f, last, 1, 5, true);
	assert_since(f, begin, 6, 0, true);
	note(f, 6);
	wait_sent(f, 1);
	assert_true(sent_seq(f, 0) > after);
	assert_since(f, last, 2, 5, true);
	// Numbers that nobody has seen here are of another database, or of events that were lost.
	assert_since(f, sent_seq(f, 0) + 1, 0, 0, false);
	assert_since(f, after + 1, 1, 6, false);
}

static void test_aborted(void **state)
{
	struct fixture *f = *state;
	int64_t begin = assert_since(f, -1, 0, 0, true);
	int64_t seq;

	stage(f, 0, 1, NULL);
	commit(f);
	seq = sent_seq(f, 0);
	stage(f, 7, 20, NULL);
	store_rollback(f->store);
	event_log_abort(f->log);
	assert_since(f, begin, 1, 0, true);
	assert_int_equal(store_events(f->store)->count, 1);
	stage(f, 1, 1, NULL);
	commit(f);
	assert_int_equal(json_array_size(f->sent), 2);
	assert_int_equal(sent_seq(f, 1), seq + 1);
	assert_since(f, begin, 2, 0, true);
	reopen(f);
	assert_since(f, begin, 2, 0, true);
}

static void test_told_once(void **state)
{
	struct fixture *f = *state;

	for (int turn = 0; turn < 2; turn++) {
		for (int i = 0; i < 1000; i++) {
			char key[16];

			snprintf(key, sizeof(key), "p%d", i % 10);
			event_log_note(f->log, "noted", key, json_pack("{s:i}", "v", i));
		}
		wait_sent(f, 10 * (size_t)(turn + 1));
	}
}

static void test_pruned(void **state)
{
	struct fixture *f = *state;
	int64_t begin = assert_since(f, -1, 0, 0, true);
	int64_t edge;

	stage(f, 0, EVENT_LOG_COUNT, NULL);
	commit(f);
	assert_since(f, begin, EVENT_LOG_COUNT, 0, true);
	stage(f, EVENT_LOG_COUNT, 100, NULL);
	commit(f);
	edge = sent_seq(f, 99);
	for (int turn = 0; turn < 2; turn++) {
		assert_since(f, begin, EVENT_LOG_COUNT, 100, false);
		assert_since(f, edge - 1, EVENT_LOG_COUNT, 100, false);
		assert_since(f, edge, EVENT_LOG_COUNT, 100, true);
		assert_int_equal(store_events(f->store)->count, EVENT_LOG_COUNT);
		if (turn == 0)
			reopen(f);
	}
}

static void test_pruned_by_size(void **state)
{
	struct fixture *f = *state;
	json_t *more = json_stringn("", 0);
	char *text = malloc(100001);
	int64_t begin = assert_since(f, -1, 0, 0, true);

	memset(text, 'x', 100000);
	text[100000] = '\0';
	json_decref(more);
	more = json_string(text);
	free(text);
	for (int i = 0; i < 100; i++) {
		stage(f, i, 1, more);
		commit(f);
	}
	assert_true(store_events(f->store)->bytes <= EVENT_LOG_BYTES);
	assert_true(store_events(f->store)->bytes > EVENT_LOG_BYTES - 200000);
	assert_int_equal(store_events(f->store)->count, 41);
	assert_since(f, begin, 41, 59, false);
	assert_since(f, sent_seq(f, 58), 41, 59, true);
	json_decref(more);
}

// Nothing can be written: still told, with numbers that do not come again.
static void test_unwritable(void **state)
{
	struct fixture *f = *state;
	int64_t before, unkept, first;

	note(f, 0);
	wait_sent(f, 1);
	before = sent_seq(f, 0);
	set_file_limit(1);
	note(f, 1);
	wait_sent(f, 2);
	unkept = sent_seq(f, 1);
	assert_int_equal(unkept, before + 1);
	assert_since(f, before, 0, 0, false);
	assert_since(f, unkept, 0, 0, true); // who has seen it
	// It ends, and another begins, without being able to write.
	first = reopen(f) + EVENT_LOG_RESERVE;
	note(f, 2);
	event_base_loop(f->base, EVLOOP_ONCE);
	assert_int_equal(json_array_size(f->sent), 1);
	assert_null(json_object_get(json_array_get(json_array_get(f->sent, 0), 1), "seq"));
	assert_since(f, unkept, 0, 0, false);
	set_file_limit(RLIM_INFINITY);
	note(f, 3);
	wait_sent(f, 2);
	assert_int_equal(sent_seq(f, 1), first);
	assert_since(f, sent_seq(f, 1) - 1, 1, 3, false);
	note(f, 4);
	wait_sent(f, 3);
	assert_since(f, sent_seq(f, 1), 1, 4, true);
}

// What was lost is remembered as soon as that can be written, without a further event.
static void test_loss_is_remembered(void **state)
{
	struct fixture *f = *state;
	int64_t before = assert_since(f, -1, 0, 0, true);
	int64_t lost;

	set_file_limit(1);
	note(f, 1);
	wait_sent(f, 1);
	lost = sent_seq(f, 0);
	set_file_limit(RLIM_INFINITY);
	while (store_events(f->store)->lost < lost)
		event_base_loop(f->base, EVLOOP_ONCE);
	reopen(f);
	assert_since(f, before, 0, 0, false);
	assert_since(f, lost, 0, 0, true);
}

int main(void)
{
#define TEST(FN) cmocka_unit_test_setup_teardown(FN, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_order_and_restart),
		TEST(test_aborted),
		TEST(test_told_once),
		TEST(test_pruned),
		TEST(test_pruned_by_size),
		TEST(test_unwritable),
		TEST(test_loss_is_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
