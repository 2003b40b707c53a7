// SPDX-License-Identifier: Apache-2.0
#include "datapath/successor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define ANSWER_S 2 // a fork takes less

bool successor_socket_check(int fd)
{
	struct timeval limit = {ANSWER_S, 0};
	int domain = 0, type = 0;
	socklen_t size = sizeof(int);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET &&
	       setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0 &&
	       fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

pid_t successor_request(int fd, bool huge_pages, struct rpc_error *error)
{
	const char *ask = huge_pages ? SUCCESSOR_ASK_HUGE : SUCCESSOR_ASK;
	char answer[SUCCESSOR_TEXT_MAX + 1];
	ssize_t count;

	if (fd < 0) {
		rpc_error_set(error, RPC_REFUSED,
			"this datapathd has no supervisor that could start another: it was not "
			"started by datapathd --supervise");
		return 0;
	}
	// What came too late for the one who asked before.
	while (recv(fd, answer, sizeof(answer), MSG_DONTWAIT) > 0)
		;
	if (send(fd, ask, strlen(ask), MSG_NOSIGNAL) < 0) {
		rpc_error_set(error, RPC_REFUSED,
			"the supervisor that started this datapathd is gone (%s), and a new one "
			"cannot be asked before it has started a datapathd itself",
			strerror(errno));
		return 0;
	}
	count = recv(fd, answer, SUCCESSOR_TEXT_MAX, 0);
	if (count <= 0) {
		rpc_error_set(error, RPC_REFUSED, "the supervisor of datapathd does not answer: %s",
			count < 0 ? strerror(errno) : "it has ended");
		return 0;
	}
	answer[count] = '\0';
	if (strncmp(answer, SUCCESSOR_STARTED, strlen(SUCCESSOR_STARTED)) == 0)
		return (pid_t)strtol(answer + strlen(SUCCESSOR_STARTED), NULL, 10);
	rpc_error_set(error, RPC_REFUSED, "the supervisor of datapathd refuses: %s", answer);
	return 0;
}
