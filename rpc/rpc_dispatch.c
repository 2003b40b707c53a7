// SPDX-License-Identifier: Apache-2.0
#include "rpc/rpc_dispatch.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/closest_word.h"

// Whoever is refused for want of memory does not get a long identifier back.
#define REFUSAL_ID_MAX 256

struct entry {
	const struct rpc_method *method;
	void *context; // of the handler
};

struct rpc_dispatch {
	struct entry *entries; // sorted by name
	size_t count;
	const struct rpc_event *events; // NULL: none
	char *title;
	char *version;
	const struct rpc_transactions *transactions;
	void *context;
};

// One request on its way to an answer.
struct call {
	const struct rpc_method *method; // NULL: error is set
	void *context;                   // of its handler
	json_t *id;     // owned; NULL: a notification, to which nothing is answered
	json_t *params; // owned, checked
	json_t *result; // owned
	bool staged;    // ran inside of the open transaction
	struct rpc_error error;
};

static json_t *discover(void *context, json_t *params, struct rpc_error *error)
{
	return rpc_dispatch_describe(context);
}

static const struct rpc_method builtin_methods[] = {
	{
		.name = "rpc.discover",
		.handler = discover,
		.result = "object: title, version, methods (array of: name, params, "
			  "result, help, transactional), events (array of: name, params, help)",
		.help = "Describe all methods and their parameters, and what can be subscribed to",
	},
	{0},
};

static int entry_compare(const void *a, const void *b)
{
	const struct entry *left = a;
	const struct entry *right = b;

	return strcmp(left->method->name, right->method->name);
}

static void methods_add(
	struct rpc_dispatch *dispatch, const struct rpc_method *methods, void *context)
{
	size_t more = 0;

	while (methods[more].name != NULL)
		more++;
	dispatch->entries = reallocarray(
		dispatch->entries, dispatch->count + more + 1, sizeof(*dispatch->entries));
	if (dispatch->entries == NULL) {
		fprintf(stderr, "out of memory for the table of methods\n");
		abort();
	}
	for (size_t i = 0; i < more; i++)
		dispatch->entries[dispatch->count++] =
			(struct entry){.method = &methods[i], .context = context};
	qsort(dispatch->entries, dispatch->count, sizeof(*dispatch->entries), entry_compare);
	for (size_t i = 1; i < dispatch->count; i++) {
		if (entry_compare(&dispatch->entries[i - 1], &dispatch->entries[i]) == 0) {
			fprintf(stderr, "two methods are called \"%s\"\n",
				dispatch->entries[i].method->name);
			abort();
		}
	}
}

void rpc_dispatch_add_methods(struct rpc_dispatch *dispatch, const struct rpc_method *methods)
{
	methods_add(dispatch, methods, dispatch->context);
}

void rpc_dispatch_set_events(struct rpc_dispatch *dispatch, struct rpc_events *events)
{
	dispatch->events = events->rows;
	methods_add(dispatch, rpc_subscription_methods, events);
}

static const struct entry *entry_find(const struct rpc_dispatch *dispatch, const char *name)
{
	const struct rpc_method method = {.name = name};
	const struct entry key = {.method = &method};

	return bsearch(&key, dispatch->entries, dispatch->count, sizeof(*dispatch->entries),
		entry_compare);
}

struct rpc_dispatch *rpc_dispatch_create(const char *title, const char *version,
	const struct rpc_transactions *transactions, void *context)
{
	struct rpc_dispatch *dispatch = calloc(1, sizeof(*dispatch));

	if (dispatch == NULL)
		return NULL;
	dispatch->title = strdup(title);
	dispatch->version = strdup(version);
	dispatch->transactions = transactions;
	dispatch->context = context;
	if (dispatch->title == NULL || dispatch->version == NULL) {
		rpc_dispatch_destroy(dispatch);
		return NULL;
	}
	methods_add(dispatch, builtin_methods, dispatch);
	return dispatch;
}

void rpc_dispatch_destroy(struct rpc_dispatch *dispatch)
{
	if (dispatch == NULL)
		return;
	free(dispatch->entries);
	free(dispatch->title);
	free(dispatch->version);
	free(dispatch);
}

static void method_missing(
	const struct rpc_dispatch *dispatch, const char *name, struct rpc_error *error)
{
	struct closest_word closest;

	closest_word_begin(&closest, name);
	for (size_t i = 0; i < dispatch->count; i++)
		closest_word_consider(&closest, dispatch->entries[i].method->name);
	if (closest.best != NULL)
		rpc_error_set(error, RPC_METHOD_NOT_FOUND,
			"Method not found: \"%.64s\"; did you mean \"%s\"?", name, closest.best);
	else
		rpc_error_set(error, RPC_METHOD_NOT_FOUND,
			"Method not found: \"%.64s\"; rpc.discover lists all", name);
}

// Section 4 of the specification: what makes an object a request.
static const char *request_fault(const json_t *request)
{
	const char *version = json_string_value(json_object_get(request, "jsonrpc"));
	const json_t *params = json_object_get(request, "params");
	const json_t *id = json_object_get(request, "id");

	if (!json_is_object(request))
		return "a request is an object, or an array of them";
	if (version == NULL || strcmp(version, "2.0") != 0)
		return "\"jsonrpc\" must be \"2.0\"";
	if (!json_is_string(json_object_get(request, "method")))
		return "\"method\" must be a string";
	if (params != NULL && !json_is_object(params) && !json_is_array(params))
		return "\"params\" must be an object or an array";
	if (id != NULL && !json_is_string(id) && !json_is_number(id) && !json_is_null(id))
		return "\"id\" must be a string, a number or null";
	return NULL;
}

// Everything that can be said about a request without carrying it out.
static void call_prepare(const struct rpc_dispatch *dispatch, struct call *call, json_t *request)
{
	const struct entry *entry;
	const char *fault = request_fault(request);
	json_t *id = json_object_get(request, "id");
	const char *name;

	memset(call, 0, sizeof(*call));
	if (fault != NULL) {
		rpc_error_set(&call->error, RPC_INVALID_REQUEST, "Invalid Request: %s", fault);
		// Such a request is answered even without an id, because it cannot be told
		// whether it was to be a notification.
		if (json_is_string(id) || json_is_number(id))
			call->id = json_incref(id);
		else
			call->id = json_null();
		return;
	}
	call->id = json_incref(id);
	name = json_string_value(json_object_get(request, "method"));
	entry = entry_find(dispatch, name);
	if (entry == NULL) {
		method_missing(dispatch, name, &call->error);
		return;
	}
	call->params = rpc_params_check(
		entry->method->params, json_object_get(request, "params"), &call->error);
	if (call->params == NULL) {
		char message[sizeof(call->error.message)];

		snprintf(message, sizeof(message), "%s", call->error.message);
		rpc_error_set(&call->error, call->error.code, "%s: %.900s", name, message);
		return;
	}
	call->method = entry->method;
	call->context = entry->context;
}

static void call_clear(struct call *call)
{
	json_decref(call->id);
	json_decref(call->params);
	json_decref(call->result);
	rpc_error_clear(&call->error);
}

static bool call_is_transactional(const struct call *call)
{
	return call->method != NULL && (call->method->flags & RPC_TRANSACTIONAL) != 0;
}

static void call_run(struct call *call)
{
	call->result = call->method->handler(call->context, call->params, &call->error);
	if (call->result != NULL) {
		rpc_error_clear(&call->error);
		return;
	}
	if (call->error.code == 0)
		rpc_error_set(&call->error, RPC_INTERNAL_ERROR,
			"%s failed without saying why (out of memory?)", call->method->name);
}

static void call_fail(struct call *call, const struct rpc_error *error)
{
	json_decref(call->result);
	call->result = NULL;
	rpc_error_set(&call->error, error->code, "%s", error->message);
	call->error.data = json_incref(error->data);
}

// Nothing is left of what the transactional calls did; those that have no error of their own say
// which one kept them from it. What others read in the meantime never came to be.
static void batch_abort(struct call *calls, size_t count, size_t culprit)
{
	struct rpc_error error = {0};
	const struct rpc_method *method = calls[culprit].method;

	rpc_error_set(&error, RPC_ABORTED,
		"not carried out, because call %zu of the same batch%s%s%s failed: %.800s",
		culprit + 1, method != NULL ? " (" : "", method != NULL ? method->name : "",
		method != NULL ? ")" : "", calls[culprit].error.message);
	for (size_t i = 0; i < count; i++)
		if (calls[i].error.code == 0 &&
			(calls[i].staged || call_is_transactional(&calls[i])))
			call_fail(&calls[i], &error);
	rpc_error_clear(&error);
}

static void batch_commit(const struct rpc_dispatch *dispatch, struct call *calls, size_t count)
{
	struct rpc_error error = {0};

	if (dispatch->transactions == NULL ||
		dispatch->transactions->commit(dispatch->context, &error)) {
		rpc_error_clear(&error);
		return;
	}
	if (error.code == 0)
		rpc_error_set(&error, RPC_INTERNAL_ERROR, "the transaction failed");
	for (size_t i = 0; i < count; i++)
		if (calls[i].staged)
			call_fail(&calls[i], &error);
	rpc_error_clear(&error);
}

static bool batch_begin(const struct rpc_dispatch *dispatch, struct call *call)
{
	if (dispatch->transactions == NULL ||
		dispatch->transactions->begin(dispatch->context, &call->error)) {
		rpc_error_clear(&call->error);
		return true;
	}
	if (call->error.code == 0)
		rpc_error_set(&call->error, RPC_INTERNAL_ERROR, "no transaction can be begun");
	return false;
}

// Carry out prepared calls, in order, with one transaction around the transactional ones.
static void batch_run(const struct rpc_dispatch *dispatch, struct call *calls, size_t count)
{
	bool transactional = false;
	bool open = false;
	bool failed = false;
	size_t culprit = 0;

	for (size_t i = 0; i < count; i++) {
		transactional |= call_is_transactional(&calls[i]);
		if (calls[i].error.code != 0 && !failed) {
			failed = true;
			culprit = i;
		}
	}
	if (transactional && failed)
		batch_abort(calls, count, culprit);
	for (size_t i = 0; i < count; i++) {
		struct call *call = &calls[i];

		if (call->error.code != 0)
			continue;
		if (call_is_transactional(call) && !open) {
			if (!batch_begin(dispatch, call)) {
				batch_abort(calls, count, i);
				continue;
			}
			open = true;
		}
		call->staged = open;
		call_run(call);
		if (call->error.code != 0 && open) {
			if (dispatch->transactions != NULL)
				dispatch->transactions->abort(dispatch->context);
			open = false;
			batch_abort(calls, count, i);
		} else if (call->error.code != 0 && transactional) {
			batch_abort(calls, count, i);
		}
	}
	if (open)
		batch_commit(dispatch, calls, count);
}

// The answer object; NULL for a notification.
static json_t *call_answer(struct call *call)
{
	json_t *answer;

	if (call->id == NULL)
		return NULL;
	answer = json_object();
	json_object_set_new(answer, "jsonrpc", json_string("2.0"));
	if (call->error.code != 0)
		json_object_set_new(answer, "error", rpc_error_to_json(&call->error));
	else
		json_object_set(answer, "result", call->result);
	json_object_set(answer, "id", call->id);
	return answer;
}

static json_t *error_answer(int code, const char *text)
{
	struct call call = {.id = json_null()};
	json_t *answer;

	rpc_error_set(&call.error, code, "%s", text);
	answer = call_answer(&call);
	call_clear(&call);
	return answer;
}

static json_t *batch_answer(const struct rpc_dispatch *dispatch, json_t *batch)
{
	size_t count = json_array_size(batch);
	struct call *calls = calloc(count, sizeof(*calls));
	json_t *answers = json_array();

	if (calls == NULL || answers == NULL) {
		free(calls);
		json_decref(answers);
		return error_answer(RPC_INTERNAL_ERROR, "out of memory");
	}
	for (size_t i = 0; i < count; i++)
		call_prepare(dispatch, &calls[i], json_array_get(batch, i));
	batch_run(dispatch, calls, count);
	for (size_t i = 0; i < count; i++) {
		json_t *answer = call_answer(&calls[i]);

		if (answer != NULL)
			json_array_append_new(answers, answer);
		call_clear(&calls[i]);
	}
	free(calls);
	if (json_array_size(answers) == 0) {
		json_decref(answers);
		return NULL;
	}
	return answers;
}

json_t *rpc_dispatch_answer(struct rpc_dispatch *dispatch, json_t *request)
{
	struct call call;
	json_t *answer;

	if (json_is_array(request)) {
		if (json_array_size(request) == 0)
			return error_answer(RPC_INVALID_REQUEST,
				"Invalid Request: a batch needs at least one call");
		return batch_answer(dispatch, request);
	}
	call_prepare(dispatch, &call, request);
	batch_run(dispatch, &call, 1);
	answer = call_answer(&call);
	call_clear(&call);
	return answer;
}

json_t *rpc_dispatch_parse_error(const char *text)
{
	char message[512];

	snprintf(message, sizeof(message), "Parse error: %s", text);
	return error_answer(RPC_PARSE_ERROR, message);
}

json_t *rpc_dispatch_refusal(const json_t *id, const char *format, ...)
{
	bool known = json_is_number(id) || json_string_length(id) <= REFUSAL_ID_MAX;
	struct call call = {.id = id != NULL && known ? json_incref((json_t *)id) : json_null()};
	char message[512];
	va_list arguments;
	json_t *answer;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	rpc_error_set(&call.error, RPC_OVERLOADED, "%s", message);
	answer = call_answer(&call);
	call_clear(&call);
	return answer;
}

static json_t *method_describe(const struct rpc_method *method)
{
	json_t *params = json_array();
	const struct rpc_param *row;

	for (row = method->params; row != NULL && row->name != NULL; row++)
		json_array_append_new(
			params, json_pack("{s:s, s:s, s:b, s:s}", "name", row->name, "type",
					rpc_type_name(row->type), "required", row->required, "help",
					row->help != NULL ? row->help : ""));
	return json_pack("{s:s, s:o, s:s, s:s, s:b}", "name", method->name, "params", params,
		"result", method->result != NULL ? method->result : "", "help",
		method->help != NULL ? method->help : "", "transactional",
		(method->flags & RPC_TRANSACTIONAL) != 0);
}

json_t *rpc_dispatch_describe(const struct rpc_dispatch *dispatch)
{
	json_t *methods = json_array();

	for (size_t i = 0; i < dispatch->count; i++)
		json_array_append_new(methods, method_describe(dispatch->entries[i].method));
	return json_pack("{s:s, s:s, s:o, s:o}", "title", dispatch->title, "version",
		dispatch->version, "methods", methods, "events",
		rpc_events_describe(dispatch->events));
}

json_t *rpc_methods_describe(const char *title, const char *version,
	const struct rpc_method *const tables[], size_t count, const struct rpc_event *events)
{
	struct rpc_events described = {.rows = events};
	struct rpc_dispatch *dispatch = rpc_dispatch_create(title, version, NULL, NULL);
	json_t *description = NULL;

	for (size_t i = 0; dispatch && i < count; i++)
		rpc_dispatch_add_methods(dispatch, tables[i]);
	if (dispatch && events)
		rpc_dispatch_set_events(dispatch, &described);
	if (dispatch)
		description = rpc_dispatch_describe(dispatch);
	rpc_dispatch_destroy(dispatch);
	return description;
}
