// SPDX-License-Identifier: Apache-2.0
#pragma once

// A guest that means no good: the frontend's side of the vhost-user protocol, whose messages and
// rings are made of random numbers. What it does follows from its seed alone, but for what its
// second thread, which writes into rings and buffers all the time, does to them meanwhile.
//
//   hostile.c         the operations' table, connections
//   hostile_message.c messages, right and wrong
//   hostile_memory.c  its memory and the tables that describe it
//   hostile_ring.c    rings and what is written into them
//
// Its buffers hold bytes from 0xa0 to 0xaf and nothing else, other than what the switch writes
// there, so that frames of its own can be told.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/random.h"

#define MEMORY_SIZE (1u << 20)
#define RINGS_SIZE (256u << 10) // of it, at its begin
#define RINGS 8
#define RING_SIZE_MAX 512 // of those that are set up as they should be
#define RING_ROOM (RINGS_SIZE / RINGS)
#define USER_START UINT64_C(0x7f0000000000)
#define FDS_MAX 16

// Messages: the vhost-user protocol's specification.
enum request {
	GET_FEATURES = 1,
	SET_FEATURES = 2,
	SET_OWNER = 3,
	RESET_OWNER = 4,
	SET_MEM_TABLE = 5,
	SET_LOG_BASE = 6,
	SET_LOG_FD = 7,
	SET_VRING_NUM = 8,
	SET_VRING_ADDR = 9,
	SET_VRING_BASE = 10,
	GET_VRING_BASE = 11,
	SET_VRING_KICK = 12,
	SET_VRING_CALL = 13,
	SET_VRING_ERR = 14,
	GET_PROTOCOL_FEATURES = 15,
	SET_PROTOCOL_FEATURES = 16,
	GET_QUEUE_NUM = 17,
	SET_VRING_ENABLE = 18,
	SEND_RARP = 19,
	NET_SET_MTU = 20,
	SET_BACKEND_REQ_FD = 21,
	IOTLB_MSG = 22,
	GET_CONFIG = 24,
	SET_CONFIG = 25,
	POSTCOPY_ADVISE = 28,
	POSTCOPY_LISTEN = 29,
	POSTCOPY_END = 30,
	GET_INFLIGHT_FD = 31,
	SET_INFLIGHT_FD = 32,
	SET_STATUS = 39,
	GET_STATUS = 40,
	REQUESTS = 46, // some of them are none
};

#define FEATURE(bit) (UINT64_C(1) << (bit))
#define MERGEABLE FEATURE(15)
#define MULTIPLE_QUEUES FEATURE(22)
#define LOG_ALL FEATURE(26)
#define INDIRECT FEATURE(28)
#define EVENT_IDX FEATURE(29)
#define PROTOCOL FEATURE(30)
#define VERSION_1 FEATURE(32)
#define PACKED FEATURE(34)
#define IN_ORDER FEATURE(35)

#define FLAG_VERSION 1u
#define FLAG_NEED_REPLY (1u << 3)

struct message {
	uint32_t request, flags, size;
	uint8_t payload[1024];
	int fds[FDS_MAX]; // -1: none; the sender keeps them
	unsigned fd_count;
} __attribute__((packed));

#define MESSAGE_HEADER 12

struct ring {
	uint32_t descriptors, driver, device; // offsets in the memory
	uint16_t size, next;
	bool packed, wrap, writable;
	int call, kick;
};

struct guest {
	uint64_t random;
	uint64_t features; // chosen last
	uint64_t start;    // guest-physical address of the memory
	int socket;        // or -1
	int listener;      // or -1
	const char *path;
	int file; // of the memory
	uint8_t *memory;
	struct ring rings[RINGS];
	int fds[FDS_MAX]; // of all wrong kinds
	unsigned fd_count;
	bool withdraw, drained; // the memory's file may get shorter; is
	bool out_of_step;       // a message was not sent as a whole
	bool unanswered;        // some were, and may not have been read
	uint64_t number;        // of the operation under way
	bool stop;              // the second thread
};

static inline uint64_t below(struct guest *guest, uint64_t limit)
{
	return random_next(&guest->random) % limit;
}

static inline bool one_in(struct guest *guest, unsigned count)
{
	return below(guest, count) == 0;
}

// Ends the program, with the seed's operation in the message.
void hostile_fail(const struct guest *guest, const char *format, ...)
	__attribute__((format(printf, 2, 3), noreturn));

// --- Messages ---

void message_begin(struct message *message, uint32_t request);
void message_u64(struct message *message, uint64_t value);
void message_state(struct message *message, uint32_t ring, uint32_t value);
void message_fd(struct message *message, int fd);

// Send it. What the switch answers is taken at the next occasion. The switch may hang up any time,
// and guest->socket is -1 then.
void message_send(struct guest *guest, const struct message *message);

// Take what the switch has said without waiting for it. False: it has hung up.
bool answers_drain(struct guest *guest);

void guest_hang_up(struct guest *guest);

void wrong_fds_open(struct guest *guest);
int wrong_fd(struct guest *guest);

// Operations.
void message_any(struct guest *guest);
void message_known(struct guest *guest);
void message_cut(struct guest *guest);
void message_in_pieces(struct guest *guest);
void message_stalls(struct guest *guest);
void answers_unread(struct guest *guest);
void switch_answers(struct guest *guest);
void connection_closes(struct guest *guest);

// --- Memory ---

void memory_open(struct guest *guest);
void memory_table_right(struct guest *guest, struct message *message);
void memory_table_wrong(struct guest *guest, struct message *message);

// A guest-physical address for `length` bytes: mostly within the memory; at its edges, outside, at
// the end of the address space.
uint64_t address_any(struct guest *guest, uint32_t length);

// Operations.
void memory_changes(struct guest *guest);
void memory_is_wrong(struct guest *guest);
void memory_log(struct guest *guest);
void memory_withdraw(struct guest *guest);

// --- Rings ---

void *rings_scribble(void *guest); // the second thread

// Operations.
void device_starts(struct guest *guest);
void ring_changes(struct guest *guest);
void ring_restarts(struct guest *guest);
void features_change(struct guest *guest);
void ring_fill(struct guest *guest);
void ring_break(struct guest *guest);
void ring_jump(struct guest *guest);
void ring_kick(struct guest *guest);
