// SPDX-License-Identifier: Apache-2.0

// Packet threads, as vsctl prints them.

#include "rpc/json_member.h"
#include "vswitch/vsctl_print.h"

static json_t *first_of(const json_t *results)
{
	return json_array_get(results, 0);
}

// Part of whole in percent.
static double percent(double part, double whole)
{
	return whole > 0 ? 100 * part / whole : 0;
}

static void thread_heading(const json_t *thread, FILE *out)
{
	fprintf(out, "pmd thread numa_id %lld core_id %lld:\n", number_of(thread, "numa"),
		number_of(thread, "core"));
}

static void usage_print(const json_t *object, const char *name, FILE *out)
{
	const json_t *usage = json_object_get(object, name);

	if (json_is_number(usage))
		fprintf(out, "%2.0f %%\n", json_number_value(usage));
	else
		fprintf(out, "NOT AVAIL\n");
}

// Of the last 5, 60 and 300 seconds, and what there is room for.
static void loads_print(const json_t *thread, FILE *out)
{
	double room = real_of(thread, "headroom_pps");

	if (!json_object_get(thread, "load_60s"))
		return;
	fprintf(out, "  load: %.1f %% in 5 s, %.1f %% in 60 s, %.1f %% in 300 s",
		real_of(thread, "load_5s"), real_of(thread, "load_60s"),
		real_of(thread, "load_300s"));
	if (room > 0)
		fprintf(out, "; room for %.2f Mpps more", room / 1e6);
	putc('\n', out);
}

int vsctl_print_rxqs(const struct vsctl_request *request, const json_t *results, FILE *out)
{
	const json_t *result = first_of(results);
	size_t thread_index;
	json_t *thread;
	const char *port;
	json_t *why;

	json_array_foreach (json_object_get(result, "threads"), thread_index, thread) {
		size_t index;
		json_t *queue;

		thread_heading(thread, out);
		fprintf(out, "  isolated : %s\n",
			json_is_true(json_object_get(thread, "isolated")) ? "true" : "false");
		json_array_foreach (json_object_get(thread, "queues"), index, queue) {
			fprintf(out, "  port: %-16s  queue-id: %2lld %s  pmd usage: ",
				text_of(queue, "port"), number_of(queue, "queue"),
				json_is_false(json_object_get(queue, "enabled")) ? "(disabled)"
										 : "(enabled) ");
			usage_print(queue, "usage_percent", out);
			if (json_is_true(json_object_get(queue, "crosses")))
				fprintf(out,
					"    this queue crosses to another NUMA node: no core of "
					"its own is in pmd-cpu-mask, or it is pinned\n");
		}
		fprintf(out, "  overhead: ");
		usage_print(thread, "overhead_percent", out);
		loads_print(thread, out);
	}
	json_object_foreach (json_object_get(result, "unpolled"), port, why)
		fprintf(out, "not polled: port: %-16s  %s\n", port, json_string_value(why));
	return CLI_EXIT_OK;
}

// A counter, or counters by name to be summed.
static json_int_t total_of(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);
	json_int_t total = json_integer_value(value);
	const char *key;
	json_t *item;

	json_object_foreach ((json_t *)value, key, item)
		total += json_integer_value(item);
	return total;
}

static json_int_t cycles_of(const json_t *thread)
{
	return number_of(thread, "cycles_busy") + number_of(thread, "cycles_idle") +
	       number_of(thread, "cycles_asleep");
}

static void queues_print(const json_t *thread, FILE *out)
{
	json_int_t cycles = cycles_of(thread);
	size_t index;
	json_t *queue;

	json_array_foreach (json_object_get(thread, "queues"), index, queue) {
		json_int_t packets = number_of(queue, "packets");

		fprintf(out,
			"  port: %-16s  queue-id: %2lld  packets: %lld  cycles per packet: "
			"%.1f  pmd usage: %.1f %%\n",
			text_of(queue, "port"), number_of(queue, "queue"), packets,
			packets > 0 ? (double)number_of(queue, "cycles") / packets : 0,
			percent(number_of(queue, "cycles"), cycles));
	}
}

// "name: 12.34 (567/89)", if there were packets.
static void ratio_print(const char *name, json_int_t cycles, json_int_t packets, FILE *out)
{
	if (packets > 0)
		fprintf(out, "  %s: %.2f (%lld/%lld)\n", name, (double)cycles / packets, cycles,
			packets);
}

int vsctl_print_pmd_stats(const struct vsctl_request *request, const json_t *results, FILE *out)
{
	size_t index;
	json_t *thread;

	json_array_foreach (first_of(results), index, thread) {
		json_int_t packets = number_of(thread, "rx_packets");
		json_int_t batches = number_of(thread, "rx_batches");
		json_int_t busy = number_of(thread, "cycles_busy");
		json_int_t idle = number_of(thread, "cycles_idle");
		json_int_t asleep = number_of(thread, "cycles_asleep"), all = cycles_of(thread);

		thread_heading(thread, out);
		fprintf(out, "  packets received: %lld\n", packets);
		fprintf(out, "  packets sent: %lld\n", number_of(thread, "tx_packets"));
		fprintf(out, "  packets dropped: %lld\n", total_of(thread, "drops"));
		fprintf(out, "  avg. packets per received batch: %.2f\n",
			batches > 0 ? (double)packets / batches : 0);
		queues_print(thread, out);
		fprintf(out, "  idle cycles: %lld (%.2f%%)\n", idle, percent(idle, all));
		fprintf(out, "  processing cycles: %lld (%.2f%%)\n", busy, percent(busy, all));
		if (asleep > 0)
			fprintf(out, "  cycles asleep: %lld (%.2f%%) in %lld sleeps\n", asleep,
				percent(asleep, all), number_of(thread, "sleeps"));
		ratio_print("avg cycles per packet", idle + busy, packets, out);
		ratio_print("avg processing cycles per packet", busy, packets, out);
	}
	return CLI_EXIT_OK;
}

// Each bin that has rounds: from where on, how many, and how many in percent.
static void histogram_print(const char *title, const json_t *bins, FILE *out)
{
	json_int_t all = 0;
	size_t index;
	json_t *bin;

	json_array_foreach ((json_t *)bins, index, bin)
		all += json_integer_value(json_array_get(bin, 1));
	fprintf(out, "  %s\n", title);
	json_array_foreach ((json_t *)bins, index, bin) {
		json_int_t count = json_integer_value(json_array_get(bin, 1));

		if (count > 0)
			fprintf(out, "    from %9lld  %12lld  %5.1f %%\n",
				json_integer_value(json_array_get(bin, 0)), count,
				percent((double)count, (double)all));
	}
}

static void histograms_print(const json_t *histograms, FILE *out)
{
	static const struct {
		const char *name, *title;
	} all[] = {
		{"cycles", "cycles/it"},
		{"packets", "packets/it"},
		{"cycles_per_packet", "cycles/pkt"},
		{"batch", "pkts/batch"},
	};

	if (!histograms)
		return;
	fprintf(out, "  Histograms, of iterations with packets\n");
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		histogram_print(all[i].title, json_object_get(histograms, all[i].name), out);
}

static void history_print(const json_t *perf, FILE *out)
{
	const json_t *rounds = json_object_get(perf, "last_rounds");
	const json_t *milliseconds = json_object_get(perf, "last_milliseconds");
	size_t index;
	json_t *item;

	if (rounds)
		fprintf(out, "     us ago      cycles     packets     batches\n");
	json_array_foreach ((json_t *)rounds, index, item)
		fprintf(out, "  %9lld  %10lld  %10lld  %10lld\n", number_of(item, "us_ago"),
			number_of(item, "cycles"), number_of(item, "packets"),
			number_of(item, "batches"));
	if (milliseconds)
		fprintf(out, "         ms  iterations      cycles     packets     batches\n");
	json_array_foreach ((json_t *)milliseconds, index, item)
		fprintf(out, "  %9lld  %10lld  %10lld  %10lld  %10lld\n", number_of(item, "ms"),
			number_of(item, "rounds"), number_of(item, "cycles"),
			number_of(item, "packets"), number_of(item, "batches"));
}

// What there is of single rounds of the thread on that core.
static void perf_print(const json_t *results, json_int_t core, FILE *out)
{
	size_t index;
	json_t *perf;

	json_array_foreach (json_array_get(results, 1), index, perf) {
		if (number_of(perf, "core") != core)
			continue;
		fprintf(out, "  suspicious iterations: %lld\n", number_of(perf, "suspicious"));
		histograms_print(json_object_get(perf, "histograms"), out);
		history_print(perf, out);
	}
}

int vsctl_print_pmd_perf(const struct vsctl_request *request, const json_t *results, FILE *out)
{
	size_t index;
	json_t *thread;

	json_array_foreach (first_of(results), index, thread) {
		json_int_t packets = number_of(thread, "rx_packets");
		json_int_t batches = number_of(thread, "rx_batches");
		json_int_t iterations = number_of(thread, "iterations");
		json_int_t busy = number_of(thread, "cycles_busy");
		json_int_t idle = number_of(thread, "cycles_idle");
		double hz = number_of(thread, "cycles_hz");
		json_int_t asleep = number_of(thread, "cycles_asleep"), all = cycles_of(thread);
		double seconds = hz > 0 ? all / hz : 0;

		thread_heading(thread, out);
		fprintf(out, "  measuring duration: %.3f s\n", seconds);
		fprintf(out, "  iterations: %lld (%.2f us/it)\n", iterations,
			iterations > 0 ? seconds * 1e6 / iterations : 0);
		fprintf(out, "  - used TSC cycles: %lld (%5.1f %% of total cycles)\n", busy,
			percent(busy, all));
		fprintf(out, "  - idle TSC cycles: %lld (%5.1f %% of total cycles)\n", idle,
			percent(idle, all));
		if (asleep > 0)
			fprintf(out,
				"  - asleep TSC cycles: %lld (%5.1f %% of total cycles), %lld "
				"sleeps\n",
				asleep, percent(asleep, all), number_of(thread, "sleeps"));
		fprintf(out, "  rx packets: %lld (%.0f Kpps, %.0f cycles/pkt)\n", packets,
			seconds > 0 ? packets / seconds / 1000 : 0,
			packets > 0 ? (double)busy / packets : 0);
		fprintf(out, "  rx batches: %lld (%.2f pkts/batch)\n", batches,
			batches > 0 ? (double)packets / batches : 0);
		fprintf(out, "  tx packets: %lld\n", number_of(thread, "tx_packets"));
		perf_print(results, number_of(thread, "core"), out);
	}
	return CLI_EXIT_OK;
}

// "dpdk0 1: core 2 -> 3 (12.3 %)", by core what was and what will be, and what that is good for.
int vsctl_print_rebalance(const struct vsctl_request *request, const json_t *results, FILE *out)
{
	const json_t *report = first_of(results);
	const json_t *moves = json_object_get(report, "moves");
	bool applied = json_is_true(json_object_get(report, "applied"));
	size_t index;
	json_t *item;

	json_array_foreach (json_object_get(report, "threads"), index, item)
		fprintf(out, "core_id %lld%s: load %.1f %% -> %.1f %%\n", number_of(item, "core"),
			json_is_true(json_object_get(item, "isolated")) ? " (isolated)" : "",
			real_of(item, "load_before"), real_of(item, "load_after"));
	json_array_foreach (moves, index, item) {
		fprintf(out, "port: %-16s  queue-id: %2lld  load %.1f %%: ", text_of(item, "port"),
			number_of(item, "queue"), real_of(item, "load"));
		if (json_is_integer(json_object_get(item, "from")))
			fprintf(out, "from core_id %lld ", number_of(item, "from"));
		fprintf(out, "to core_id %lld\n", number_of(item, "to"));
	}
	if (json_array_size(moves) == 0)
		fprintf(out, "The queues are where they should be.\n");
	else
		fprintf(out, "%s %zu queue%s; variance of the loads improves by %.1f %%\n",
			applied ? "Moved" : "Would move", json_array_size(moves),
			json_array_size(moves) == 1 ? "" : "s",
			real_of(report, "improvement_percent"));
	return CLI_EXIT_OK;
}
