// SPDX-License-Identifier: Apache-2.0

// A stream of bytes from a client: cut into JSON values, and each answered. The first byte says in
// which pieces the bytes arrive, and how full the stream's buffer is by then; the answers must not
// depend on it.

#include <jansson.h>

#include "rpc/json_stream.h"
#include "rpc/rpc_dispatch.h"
#include "tests/fuzz/fuzz.h"

#define LIMIT 2048 // bytes of a value
#define DEPTH 64

// A "database" of one number.
static struct world {
	json_int_t value, before;
	bool open;
	unsigned transactions; // begun
} world;

// --- Methods ---

static json_t *value_add(void *context, json_t *params, struct rpc_error *error)
{
	json_int_t n = json_integer_value(json_object_get(params, "n"));

	fuzz_must(world.open, "a change outside of a transaction");
	fuzz_must(json_is_integer(json_object_get(params, "n")), "unchecked");
	if (n < 0 || n > 1000) {
		rpc_error_set(error, RPC_REFUSED, "n is %lld", (long long)n);
		error->data = json_pack("{s:I}", "n", n);
		return NULL;
	}
	world.value += n;
	return json_integer(world.value);
}

static json_t *value_get(void *context, json_t *params, struct rpc_error *error)
{
	return json_integer(world.value);
}

static json_t *echo(void *context, json_t *params, struct rpc_error *error)
{
	static const struct {
		const char *name;
		json_type type;
	} rows[] = {{"text", JSON_STRING}, {"object", JSON_OBJECT}, {"array", JSON_ARRAY}};

	fuzz_must(json_is_object(params), "not named");
	for (unsigned i = 0; i < 3; i++) {
		json_t *value = json_object_get(params, rows[i].name);

		fuzz_must(!value || json_typeof(value) == rows[i].type, "%s", rows[i].name);
	}
	return json_incref(params);
}

static json_t *fail(void *context, json_t *params, struct rpc_error *error)
{
	rpc_error_set(error, RPC_NOT_FOUND, "there is no \"%s\"",
		json_string_value(json_object_get(params, "name")));
	return NULL;
}

static const struct rpc_param n_params[] = {{"n", RPC_INTEGER, true, "how much"}, {0}};
static const struct rpc_param name_params[] = {{"name", RPC_STRING, true, ""}, {0}};
static const struct rpc_param echo_params[] = {{"any", RPC_ANY, false, ""},
	{"text", RPC_STRING, false, ""}, {"number", RPC_NUMBER, false, ""},
	{"flag", RPC_BOOLEAN, false, ""}, {"object", RPC_OBJECT, false, ""},
	{"array", RPC_ARRAY, false, ""}, {0}};
static const struct rpc_method methods[] = {
	{"value.add", value_add, n_params, RPC_TRANSACTIONAL, "", ""},
	{"value.get", value_get, NULL, 0, "", ""},
	{"echo", echo, echo_params, 0, "", ""},
	{"fail", fail, name_params, 0, "", ""},
	{"fail.change", fail, name_params, RPC_TRANSACTIONAL, "", ""},
	{0},
};

// --- Transactions ---

static bool begin(void *context, struct rpc_error *error)
{
	fuzz_must(!world.open, "a transaction within another");
	world.before = world.value;
	world.open = true;
	world.transactions++;
	return true;
}

// Refused at certain values, so that this happens too.
static bool commit(void *context, struct rpc_error *error)
{
	fuzz_must(world.open, "no transaction");
	world.open = false;
	if (world.value % 16 != 13)
		return true;
	world.value = world.before;
	rpc_error_set(error, RPC_UNAVAILABLE, "the datapath is gone");
	return false;
}

static void abort_transaction(void *context)
{
	fuzz_must(world.open, "no transaction");
	world.open = false;
	world.value = world.before;
}

// --- Answers ---

// Does it say that something failed?
static bool answer_must_be_good(json_t *answer)
{
	json_t *error = json_object_get(answer, "error");
	json_t *id = json_object_get(answer, "id");
	const char *version = json_string_value(json_object_get(answer, "jsonrpc"));

	fuzz_must(json_is_object(answer), "no object");
	fuzz_must(version && strcmp(version, "2.0") == 0, "no version");
	fuzz_must(json_is_null(id) || json_is_string(id) || json_is_number(id), "no identifier");
	fuzz_must((error != NULL) != (json_object_get(answer, "result") != NULL),
		"neither or both of error and result");
	if (!error)
		return false;
	fuzz_must(json_is_integer(json_object_get(error, "code")), "no code");
	fuzz_must(json_string_length(json_object_get(error, "message")) > 0, "no message");
	return true;
}

static void answers_must_be_good(json_t *request, json_t *answer, const struct world *before)
{
	bool failed = false;
	json_t *item;
	size_t i;

	fuzz_must(!world.open, "a transaction was left open");
	fuzz_must(world.transactions - before->transactions <= 1, "several transactions");
	if (json_is_array(answer)) {
		fuzz_must(json_array_size(answer) > 0, "an empty batch");
		fuzz_must(json_array_size(answer) <= json_array_size(request), "too many");
		json_array_foreach (answer, i, item)
			failed |= answer_must_be_good(item);
	} else if (answer) {
		failed = answer_must_be_good(answer);
	}
	// All or nothing.
	fuzz_must(!failed || world.value == before->value, "a failed batch changed something");
}

static char *answer_to(struct rpc_dispatch *dispatch, json_t *request, const char *error_text)
{
	struct world before = world;
	json_t *answer = request ? rpc_dispatch_answer(dispatch, request)
				 : rpc_dispatch_parse_error(error_text);
	char *text = NULL;

	answers_must_be_good(request, answer, &before);
	if (answer) {
		text = json_dumps(answer, JSON_COMPACT);
		fuzz_must(text != NULL, "an answer that cannot be written");
	}
	json_decref(answer);
	return text;
}

// --- Streams ---

static struct rpc_dispatch *dispatch;

// Takes out all values that are there; writes the answers.
static void drain(struct json_stream *stream, FILE *out)
{
	const char *error_text;
	json_t *request;
	char *answer;

	while ((request = json_stream_next(stream, &error_text)) || error_text) {
		answer = answer_to(dispatch, request, error_text);
		fprintf(out, "%s\n", answer ? answer : "-");
		free(answer);
		json_decref(request);
	}
}

// So many bytes of nothing, by which the buffer fills and what follows has to be moved.
static void feed_blanks(struct json_stream *stream, size_t count, FILE *out)
{
	char blanks[4096];

	memset(blanks, ' ', sizeof(blanks));
	fuzz_must(json_stream_feed(stream, blanks, count) == 0, "not taken");
	drain(stream, out);
}

// All answers, with the bytes fed in pieces whose sizes follow from `pieces`, behind some blanks.
// NULL: the stream came to a limit.
static char *serve(const uint8_t *data, size_t size, unsigned pieces, size_t blanks)
{
	struct json_stream *stream = json_stream_create(LIMIT);
	char *answers = NULL;
	size_t answers_size, position = 0;
	FILE *out = open_memstream(&answers, &answers_size);
	bool failed;

	fuzz_must(stream && out, "no memory");
	memset(&world, 0, sizeof(world));
	feed_blanks(stream, blanks, out);
	while (position < size && !json_stream_failed(stream)) {
		size_t piece = pieces == 0 ? size : 1 + (position * 7 + pieces) % pieces;

		if (piece > size - position)
			piece = size - position;
		fuzz_must(json_stream_feed(stream, (const char *)data + position, piece) == 0,
			"not taken at %zu", position);
		position += piece;
		drain(stream, out);
	}
	json_stream_end(stream);
	drain(stream, out);
	failed = json_stream_failed(stream);
	json_stream_destroy(stream);
	fclose(out);
	if (failed) {
		free(answers);
		return NULL;
	}
	return answers;
}

static unsigned depth_of(json_t *value)
{
	unsigned deepest = 0;
	const char *key;
	json_t *item;
	size_t i;

	if (!json_is_array(value) && !json_is_object(value))
		return 0;
	json_array_foreach (value, i, item)
		deepest = depth_of(item) > deepest ? depth_of(item) : deepest;
	json_object_foreach (value, key, item)
		deepest = depth_of(item) > deepest ? depth_of(item) : deepest;
	return deepest + 1;
}

// What Jansson takes for one value comes out of the stream as that value. (It also takes a NUL
// behind a value for its end.)
static void stream_must_agree(const uint8_t *data, size_t size)
{
	json_t *expected = json_loadb(
		(const char *)data, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
	struct json_stream *stream;
	const char *error_text;
	json_t *value;

	if (!expected || memchr(data, '\0', size) || size > LIMIT || depth_of(expected) > DEPTH) {
		json_decref(expected);
		return;
	}
	stream = json_stream_create(LIMIT);
	fuzz_must(stream && json_stream_feed(stream, (const char *)data, size) == 0, "not taken");
	json_stream_end(stream);
	value = json_stream_next(stream, &error_text);
	fuzz_must(value != NULL, "%s", error_text ? error_text : "not whole");
	fuzz_must(json_equal(value, expected), "another value");
	json_decref(value);
	value = json_stream_next(stream, &error_text);
	fuzz_must(!value && !error_text, "more than one");
	json_decref(expected);
	json_stream_destroy(stream);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const struct rpc_transactions transactions = {begin, commit, abort_transaction};

	// Or equal objects would print in different orders.
	json_object_seed(1);
	dispatch = rpc_dispatch_create("fuzz", "1", &transactions, NULL);
	fuzz_must(dispatch != NULL, "no memory");
	rpc_dispatch_add_methods(dispatch, methods);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t blanks[] = {0, 4090, 3000, 2040};
	char *whole, *pieces;

	if (size == 0)
		return -1;
	stream_must_agree(data + 1, size - 1);
	whole = serve(data + 1, size - 1, 0, 0);
	pieces = serve(data + 1, size - 1, 1 + data[0] % 64, blanks[data[0] / 64]);
	fuzz_must(!whole == !pieces, "a limit was passed only in %s", whole ? "pieces" : "one");
	fuzz_must(!whole || strcmp(whole, pieces) == 0, "\n%s\nin pieces:\n%s", whole, pieces);
	free(whole);
	free(pieces);
	return 0;
}
