// SPDX-License-Identifier: Apache-2.0
#include "datapath/standby.h"

#include "base/steady_clock.h"
#include "datapath/datapath.h"
#include "datapath/log.h"
#include "datapath/pmd.h"
#include "rpc/rundir.h"

int64_t datapath_release(struct datapath *datapath)
{
	int64_t now = steady_us();

	// Without threads nobody has to be waited for while ports are closed. Each ends its round,
	// so what it has taken has been sent.
	pmd_stop_all(datapath);
	poll_wanted_destroy(datapath->wanted);
	datapath->wanted = NULL;
	for (unsigned i = 0; i < PORTS_MAX; i++) {
		if (datapath->ports[i])
			port_delete(datapath->ports[i]);
	}
	log_info("all ports are let go, for another process to take over");
	return now;
}

bool datapath_promote(struct datapath *datapath, struct rpc_error *error)
{
	char path[RUNDIR_PATH_SIZE];
	int fd;

	if (!datapath->standby) {
		rpc_error_set(error, RPC_REFUSED, "this datapathd was not started with --standby");
		return false;
	}
	if (rundir_path(path, sizeof(path), datapath->rundir, DATAPATHD_SOCKET) != 0) {
		rpc_error_set(error, RPC_REFUSED, "the run directory's name is too long");
		return false;
	}
	fd = rundir_pid_lock(datapath->rundir, DATAPATHD_PID, error);
	if (fd < 0)
		return false;
	if (!rpc_server_move(datapath->server, path, error)) {
		rundir_pid_unlock(fd, datapath->rundir, DATAPATHD_PID);
		return false;
	}
	rundir_pid_unlock(datapath->pid_fd, datapath->rundir, STANDBY_PID);
	datapath->pid_fd = fd;
	datapath->standby = false;
	log_info("answering at %s from now on", path);
	return true;
}
