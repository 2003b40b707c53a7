// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/json_stream.h"
#include "rpc/rpc_dispatch.h"

// A "database" of one number, for transactions.
struct world {
	int value;
	int before; // at begin
	bool open;
	bool refuse_begin;
	bool refuse_commit;
	char log[256];
};

static struct world world;

static void note(const char *word)
{
	strcat(world.log, word);
	strcat(world.log, " ");
}

static json_t *subtract(void *context, json_t *params, struct rpc_error *error)
{
	return json_integer(json_integer_value(json_object_get(params, "minuend")) -
			    json_integer_value(json_object_get(params, "subtrahend")));
}

static json_t *sum(void *context, json_t *params, struct rpc_error *error)
{
	json_int_t total = 0;
	const char *name;
	json_t *value;

	json_object_foreach (params, name, value)
		total += json_integer_value(value);
	return json_integer(total);
}

static json_t *get_data(void *context, json_t *params, struct rpc_error *error)
{
	return json_pack("[s, i]", "hello", 5);
}

static json_t *notify(void *context, json_t *params, struct rpc_error *error)
{
	note("notified");
	return json_true();
}

static json_t *value_add(void *context, json_t *params, struct rpc_error *error)
{
	assert_ptr_equal(context, &world);
	assert_true(world.open);
	note("add");
	world.value += json_integer_value(json_object_get(params, "n"));
	if (world.value > 100) {
		rpc_error_set(error, RPC_REFUSED, "more than 100");
		error->data = json_pack("{s:i}", "value", world.value);
		return NULL;
	}
	return json_integer(world.value);
}

static json_t *value_get(void *context, json_t *params, struct rpc_error *error)
{
	note("get");
	return json_integer(world.value);
}

static json_t *fail_always(void *context, json_t *params, struct rpc_error *error)
{
	note("fail");
	rpc_error_set(error, RPC_NOT_FOUND, "there is none");
	return NULL;
}

static json_t *fail_silently(void *context, json_t *params, struct rpc_error *error)
{
	return NULL;
}

static const struct rpc_param subtract_params[] = {
	{"minuend", RPC_INTEGER, true, ""}, {"subtrahend", RPC_INTEGER, true, ""}, {0}};
static const struct rpc_param abc_params[] = {{"a", RPC_INTEGER, false, ""},
	{"b", RPC_INTEGER, false, ""}, {"c", RPC_INTEGER, false, ""}, {"d", RPC_INTEGER, false, ""},
	{"e", RPC_INTEGER, false, ""}, {0}};
static const struct rpc_param n_params[] = {{"n", RPC_INTEGER, true, "how much"}, {0}};

static const struct rpc_method methods[] = {
	{"subtract", subtract, subtract_params, 0, "the difference", "Subtract"},
	{"sum", sum, abc_params, 0, "", ""},
	{"get_data", get_data, NULL, 0, "", ""},
	{"update", notify, abc_params, 0, "", ""},
	{"notify_hello", notify, abc_params, 0, "", ""},
	{"notify_sum", notify, abc_params, 0, "", ""},
	{"value.add", value_add, n_params, RPC_TRANSACTIONAL, "the new value", "Add"},
	{"value.get", value_get, NULL, 0, "", ""},
	{"fail", fail_always, NULL, 0, "", ""},
	{"fail.silently", fail_silently, NULL, 0, "", ""},
	{0},
};

static bool begin(void *context, struct rpc_error *error)
{
	assert_false(world.open);
	note("begin");
	if (world.refuse_begin) {
		rpc_error_set(error, RPC_UNAVAILABLE, "not now");
		return false;
	}
	world.open = true;
	world.before = world.value;
	return true;
}

static void abort_transaction(void *context)
{
	assert_true(world.open);
	note("abort");
	world.open = false;
	world.value = world.before;
}

static bool commit(void *context, struct rpc_error *error)
{
	assert_true(world.open);
	note("commit");
	world.open = false;
	if (world.refuse_commit) {
		world.value = world.before;
		rpc_error_set(error, RPC_UNAVAILABLE, "the datapath is gone");
	}
	return !world.refuse_commit;
}

static const struct rpc_transactions transactions = {begin, commit, abort_transaction};

static int setup(void **state)
{
	struct rpc_dispatch *dispatch;

	memset(&world, 0, sizeof(world));
	dispatch = rpc_dispatch_create("test", "1", &transactions, &world);
	rpc_dispatch_add_methods(dispatch, methods);
	*state = dispatch;
	return 0;
}

static int teardown(void **state)
{
	rpc_dispatch_destroy(*state);
	return 0;
}

// Error messages say more than the specification's examples; what comes after the colon is ours.
static void messages_shorten(json_t *answer)
{
	json_t *error = json_object_get(answer, "error");
	const char *message = json_string_value(json_object_get(error, "message"));
	size_t index;
	json_t *item;

	json_array_foreach (answer, index, item)
		messages_shorten(item);
	if (message != NULL && strchr(message, ':') != NULL)
		json_object_set_new(
			error, "message", json_stringn(message, strchr(message, ':') - message));
}

// The answer to the bytes, or NULL; they are one value or no JSON at all.
static json_t *answer_to(struct rpc_dispatch *dispatch, const char *bytes)
{
	struct json_stream *stream = json_stream_create(1 << 20);
	const char *error_text;
	json_t *request;
	json_t *answer;

	json_stream_feed(stream, bytes, strlen(bytes));
	json_stream_end(stream);
	request = json_stream_next(stream, &error_text);
	answer = request != NULL ? rpc_dispatch_answer(dispatch, request)
				 : rpc_dispatch_parse_error(error_text);
	json_decref(request);
	json_stream_destroy(stream);
	return answer;
}

struct example {
	const char *request;
	const char *answer; // NULL: none
};

static void check_example(struct rpc_dispatch *dispatch, const struct example *example)
{
	json_t *answer = answer_to(dispatch, example->request);
	json_t *expected = example->answer != NULL ? json_loads(example->answer, 0, NULL) : NULL;

	messages_shorten(answer);
	assert_true((example->answer == NULL) == (expected == NULL));
	if (expected == NULL ? answer != NULL : !json_equal(answer, expected)) {
		char *text = json_dumps(answer, 0);

		fail_msg("%s\nis answered: %s\nexpected:    %s", example->request,
			text != NULL ? text : "nothing", example->answer);
	}
	json_decref(answer);
	json_decref(expected);
}

// https://www.jsonrpc.org/specification, section 7, all examples in their order.
static const struct example specification[] = {
	{"{\"jsonrpc\": \"2.0\", \"method\": \"subtract\", \"params\": [42, 23], \"id\": 1}",
		"{\"jsonrpc\": \"2.0\", \"result\": 19, \"id\": 1}"},
	{"{\"jsonrpc\": \"2.0\", \"method\": \"subtract\", \"params\": [23, 42], \"id\": 2}",
		"{\"jsonrpc\": \"2.0\", \"result\": -19, \"id\": 2}"},
	{"{\"jsonrpc\": \"2.0\", \"method\": \"subtract\", \"params\": {\"subtrahend\": 23, "
	 "\"minuend\": 42}, \"id\": 3}",
		"{\"jsonrpc\": \"2.0\", \"result\": 19, \"id\": 3}"},
	{"{\"jsonrpc\": \"2.0\", \"method\": \"subtract\", \"params\": {\"minuend\": 42, "
	 "\"subtrahend\": 23}, \"id\": 4}",
		"{\"jsonrpc\": \"2.0\", \"result\": 19, \"id\": 4}"},
	{"{\"jsonrpc\": \"2.0\", \"method\": \"update\", \"params\": [1,2,3,4,5]}", NULL},
	{"{\"jsonrpc\": \"2.0\", \"method\": \"foobar\"}", NULL},
	{"{\"jsonrpc\": \"2.0\", \"method\": \"foobar\", \"id\": \"1\"}",
		"{\"jsonrpc\": \"2.0\", \"error\": {\"code\": -32601, \"message\": "
		"\"Method not found\"}, \"id\": \"1\"}"},
	{"{\"jsonrpc\": \"2.0\", \"method\": \"foobar, \"params\": \"bar\", \"baz]",
		"{\"jsonrpc\": \"2.0\", \"error\": {\"code\": -32700, \"message\": "
		"\"Parse error\"}, \"id\": null}"},
	{"{\"jsonrpc\": \"2.0\", \"method\": 1, \"params\": \"bar\"}",
		"{\"jsonrpc\": \"2.0\", \"error\": {\"code\": -32600, \"message\": "
		"\"Invalid Request\"}, \"id\": null}"},
	{"[{\"jsonrpc\": \"2.0\", \"method\": \"sum\", \"params\": [1,2,4], \"id\": \"1\"},"
	 "{\"jsonrpc\": \"2.0\", \"method\"]",
		"{\"jsonrpc\": \"2.0\", \"error\": {\"code\": -32700, \"message\": "
		"\"Parse error\"}, \"id\": null}"},
	{"[]", "{\"jsonrpc\": \"2.0\", \"error\": {\"code\": -32600, \"message\": \"Invalid "
	       "Request\"}, \"id\": null}"},
	{"[1]", "[{\"jsonrpc\": \"2.0\", \"error\": {\"code\": -32600, \"message\": "
		"\"Invalid Request\"}, \"id\": null}]"},
	{"[1,2,3]", "[{\"jsonrpc\": \"2.0\", \"error\": {\"code\": -32600, \"message\": "
		    "\"Invalid Request\"}, \"id\": null},"
		    "{\"jsonrpc\": \"2.0\", \"error\": {\"code\": -32600, \"message\": "
		    "\"Invalid Request\"}, \"id\": null},"
		    "{\"jsonrpc\": \"2.0\", \"error\": {\"code\": -32600, \"message\": "
		    "\"Invalid Request\"}, \"id\": null}]"},
	{"[{\"jsonrpc\": \"2.0\", \"method\": \"sum\", \"params\": [1,2,4], \"id\": \"1\"},"
	 "{\"jsonrpc\": \"2.0\", \"method\": \"notify_hello\", \"params\": [7]},"
	 "{\"jsonrpc\": \"2.0\", \"method\": \"subtract\", \"params\": [42,23], \"id\": "
	 "\"2\"},"
	 "{\"foo\": \"boo\"},"
	 "{\"jsonrpc\": \"2.0\", \"method\": \"foo.get\", \"params\": {\"name\": "
	 "\"myself\"}, \"id\": \"5\"},"
	 "{\"jsonrpc\": \"2.0\", \"method\": \"get_data\", \"id\": \"9\"}]",
		"[{\"jsonrpc\": \"2.0\", \"result\": 7, \"id\": \"1\"},"
		"{\"jsonrpc\": \"2.0\", \"result\": 19, \"id\": \"2\"},"
		"{\"jsonrpc\": \"2.0\", \"error\": {\"code\": -32600, \"message\": "
		"\"Invalid Request\"}, \"id\": null},"
		"{\"jsonrpc\": \"2.0\", \"error\": {\"code\": -32601, \"message\": "
		"\"Method not found\"}, \"id\": \"5\"},"
		"{\"jsonrpc\": \"2.0\", \"result\": [\"hello\", 5], \"id\": "
		"\"9\"}]"},
	{"[{\"jsonrpc\": \"2.0\", \"method\": \"notify_sum\", \"params\": [1,2,4]},"
	 "{\"jsonrpc\": \"2.0\", \"method\": \"notify_hello\", \"params\": [7]}]",
		NULL},
};

static void test_specification(void **state)
{
	for (size_t i = 0; i < sizeof(specification) / sizeof(specification[0]); i++)
		check_example(*state, &specification[i]);
	assert_string_equal(world.log, "notified notified notified notified ");
}

#define GET "\"jsonrpc\":\"2.0\",\"method\":\"value.get\""
#define ZERO "\"jsonrpc\":\"2.0\",\"result\":0"
#define INVALID "\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32600,\"message\":\"Invalid Request\"}"

// What the specification's text says beyond its examples.
static const struct example requests[] = {
	// ids of every legal type come back as they are, null and fractions too
	{"{" GET ",\"id\":\"\"}", "{" ZERO ",\"id\":\"\"}"},
	{"{" GET ",\"id\":0}", "{" ZERO ",\"id\":0}"},
	{"{" GET ",\"id\":-9223372036854775808}", "{" ZERO ",\"id\":-9223372036854775808}"},
	{"{" GET ",\"id\":1.5}", "{" ZERO ",\"id\":1.5}"},
	{"{" GET ",\"id\":null}", "{" ZERO ",\"id\":null}"},
	{"{" GET "}", NULL},
	// and others do not
	{"{" GET ",\"id\":[1]}", "{" INVALID ",\"id\":null}"},
	{"{" GET ",\"id\":{}}", "{" INVALID ",\"id\":null}"},
	{"{" GET ",\"id\":true}", "{" INVALID ",\"id\":null}"},
	{"{\"method\":\"value.get\",\"id\":1}", "{" INVALID ",\"id\":1}"},
	{"{\"jsonrpc\":\"1.0\",\"method\":\"value.get\",\"id\":1}", "{" INVALID ",\"id\":1}"},
	{"{\"jsonrpc\":2.0,\"method\":\"value.get\",\"id\":1}", "{" INVALID ",\"id\":1}"},
	{"{\"jsonrpc\":\"2.0\",\"id\":\"x\"}", "{" INVALID ",\"id\":\"x\"}"},
	{"{" GET ",\"params\":null,\"id\":1}", "{" INVALID ",\"id\":1}"},
	{"{" GET ",\"params\":7}", "{" INVALID ",\"id\":null}"},
	{"1", "{" INVALID ",\"id\":null}"},
	{"null", "{" INVALID ",\"id\":null}"},
	{"\"value.get\"", "{" INVALID ",\"id\":null}"},
	{"[[]]", "[{" INVALID ",\"id\":null}]"},
	{"{" GET ",\"params\":{\"x\":1}}", NULL}, // a notification's errors are not told
	{"{" GET ",\"params\":[1],\"id\":1}",
		"{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32602,\"message\":"
		"\"value.get\"},\"id\":1}"},
	{"{\"jsonrpc\":\"2.0\",\"method\":\"fail\",\"id\":1}",
		"{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32001,\"message\":"
		"\"there is none\"},\"id\":1}"},
	{"{\"jsonrpc\":\"2.0\",\"method\":\"fail.silently\",\"id\":1}",
		"{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32603,\"message\":"
		"\"fail.silently failed without saying why (out of memory?)\"},"
		"\"id\":1}"},
	{"{\"jsonrpc\":\"2.0\",\"method\":\"rpc.nothing\",\"id\":1}",
		"{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32601,\"message\":"
		"\"Method not found\"},\"id\":1}"},
};

static void test_requests(void **state)
{
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		check_example(*state, &requests[i]);
}

// In short: "+5" is value.add with 5, "g" value.get, "f" fails, "u" an unknown method, "x" an
// invalid request; a small n before it makes it a notification.
static json_t *batch_make(const char *words)
{
	json_t *batch = json_array();
	char copy[128];
	char *rest;
	int id = 0;

	snprintf(copy, sizeof(copy), "%s", words);
	for (char *word = strtok_r(copy, " ", &rest); word != NULL;
		word = strtok_r(NULL, " ", &rest)) {
		bool notification = word[0] == 'n';
		const char *what = word + notification;
		json_t *call = json_pack("{s:s}", "jsonrpc", "2.0");

		if (what[0] == '+')
			json_object_set_new(call, "params", json_pack("[i]", atoi(what)));
		json_object_set_new(call, "method",
			what[0] == '+'   ? json_string("value.add")
			: what[0] == 'g' ? json_string("value.get")
			: what[0] == 'f' ? json_string("fail")
			: what[0] == 'u' ? json_string("unknown")
					 : json_integer(1));
		if (!notification)
			json_object_set_new(call, "id", json_integer(id));
		id++;
		json_array_append_new(batch, call);
	}
	return batch;
}

struct transaction {
	const char *calls;
	const char *answers; // results, or codes of errors as "e-32011"
	int value;
	const char *log;
};

static void check_transaction(struct rpc_dispatch *dispatch, const struct transaction *example)
{
	json_t *batch = batch_make(example->calls);
	json_t *answers = rpc_dispatch_answer(dispatch, batch);
	char text[256] = "";
	size_t index;
	json_t *answer;

	json_array_foreach (answers, index, answer) {
		json_t *error = json_object_get(answer, "error");
		json_t *code = json_object_get(error, "code");

		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s%d",
			index > 0 ? " " : "", error != NULL ? "e" : "",
			(int)json_integer_value(
				error != NULL ? code : json_object_get(answer, "result")));
	}
	assert_string_equal(text, example->answers);
	assert_int_equal(world.value, example->value);
	assert_string_equal(world.log, example->log);
	assert_false(world.open);
	json_decref(batch);
	json_decref(answers);
}

static void test_transactions(void **state)
{
	static const struct transaction examples[] = {
		{"+1", "1", 1, "begin add commit "},
		{"+1 +2 +3", "1 3 6", 6, "begin add add add commit "},
		{"g g", "0 0", 0, "get get "},
		{"g +1 g +2 g", "0 1 1 3 3", 3, "get begin add get add get commit "},
		{"+101", "e-32000", 0, "begin add abort "},
		// what was fine is undone, what comes later is not tried
		{"+1 +100 +2", "e-32011 e-32000 e-32011", 0, "begin add add abort "},
		// and what was read in between was never so
		{"g +1 g +100 g", "0 e-32011 e-32011 e-32000 0", 0,
			"get begin add get add abort get "},
		// any other failure stops the transaction too, before it begins if possible
		{"+1 f +2", "e-32011 e-32001 e-32011", 0, "begin add fail abort "},
		{"f +1", "e-32001 e-32011", 0, "fail "},
		{"+1 u g", "e-32011 e-32601 0", 0, "get "},
		{"+1 x", "e-32011 e-32600", 0, ""},
		{"f g", "e-32001 0", 0, "fail get "},
		// notifications take part, silently
		{"n+1 +2", "3", 3, "begin add add commit "},
		{"n+1 n+2", "", 3, "begin add add commit "},
		{"n+101 +2", "e-32011", 0, "begin add abort "},
	};

	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		memset(&world, 0, sizeof(world));
		check_transaction(*state, &examples[i]);
	}
}

static void test_transaction_that_does_not_begin(void **state)
{
	static const struct transaction example = {"g +1 +2", "0 e-32020 e-32011", 0, "get begin "};

	world.refuse_begin = true;
	check_transaction(*state, &example);
}

static void test_transaction_that_does_not_commit(void **state)
{
	static const struct transaction example = {
		"g +1 g +2", "0 e-32020 e-32020 e-32020", 0, "get begin add get add commit "};

	world.refuse_commit = true;
	check_transaction(*state, &example);
}

static void test_aborted_says_why(void **state)
{
	json_t *batch = batch_make("+1 +100");
	json_t *answers = rpc_dispatch_answer(*state, batch);
	json_t *first = json_object_get(json_array_get(answers, 0), "error");
	json_t *second = json_object_get(json_array_get(answers, 1), "error");

	assert_string_equal(json_string_value(json_object_get(first, "message")),
		"not carried out, because call 2 of the same batch (value.add) failed: "
		"more than 100");
	assert_int_equal(
		101, json_integer_value(json_object_get(json_object_get(second, "data"), "value")));
	json_decref(batch);
	json_decref(answers);
}

static void test_discover(void **state)
{
	json_t *answer =
		answer_to(*state, "{\"jsonrpc\":\"2.0\",\"method\":\"rpc.discover\",\"id\":1}");
	json_t *result = json_object_get(answer, "result");
	json_t *list = json_object_get(result, "methods");
	json_t *expected =
		json_loads("{\"name\":\"value.add\",\"params\":[{\"name\":\"n\",\"type\":"
			   "\"integer\",\"required\":true,\"help\":\"how much\"}],"
			   "\"result\":\"the new value\",\"help\":\"Add\","
			   "\"transactional\":true}",
			0, NULL);
	bool found = false;
	size_t index;
	json_t *method;

	assert_string_equal(json_string_value(json_object_get(result, "title")), "test");
	assert_string_equal(json_string_value(json_object_get(result, "version")), "1");
	assert_int_equal(json_array_size(list), sizeof(methods) / sizeof(methods[0]));
	json_array_foreach (list, index, method)
		found |= json_equal(method, expected);
	assert_true(found);
	json_decref(expected);
	json_decref(answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_specification, setup, teardown),
		cmocka_unit_test_setup_teardown(test_requests, setup, teardown),
		cmocka_unit_test_setup_teardown(test_transactions, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_transaction_that_does_not_begin, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_transaction_that_does_not_commit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_aborted_says_why, setup, teardown),
		cmocka_unit_test_setup_teardown(test_discover, setup, teardown),
	};

	return cmocka_run_group_tests_name("rpc_dispatch", tests, NULL, NULL);
}
