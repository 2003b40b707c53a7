// SPDX-License-Identifier: Apache-2.0
#include "datapath/builder.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "datapath/clock.h"
#include "datapath/datapath.h"

struct builder {
	pthread_t thread;
	pthread_mutex_t lock; // of what follows
	pthread_cond_t changed;
	struct classifier_job *waiting; // to be built
	struct classifier_job *done;
	bool stop;
	// Control only.
	bool busy;       // a job is waiting, under way or done
	unsigned bridge; // the one that is asked first for the next
};

// NULL: the end.
static struct classifier_job *job_wait(struct builder *builder)
{
	struct classifier_job *job;

	pthread_mutex_lock(&builder->lock);
	while (!builder->waiting && !builder->stop)
		pthread_cond_wait(&builder->changed, &builder->lock);
	job = builder->stop ? NULL : builder->waiting;
	if (job)
		builder->waiting = NULL;
	pthread_mutex_unlock(&builder->lock);
	return job;
}

static void *builder_main(void *argument)
{
	struct builder *builder = argument;
	struct classifier_job *job;

	// Of this thread alone, on Linux: the control thread shares the core.
	setpriority(PRIO_PROCESS, (id_t)gettid(), 19);
	while ((job = job_wait(builder))) {
		classifier_job_run(job);
		pthread_mutex_lock(&builder->lock);
		builder->done = job;
		pthread_mutex_unlock(&builder->lock);
	}
	return NULL;
}

struct builder *builder_create(void)
{
	struct builder *builder = calloc(1, sizeof(*builder));
	sigset_t all, before;
	int error;

	if (!builder)
		return NULL;
	pthread_mutex_init(&builder->lock, NULL);
	pthread_cond_init(&builder->changed, NULL);
	// Signals are for the control thread.
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	error = pthread_create(&builder->thread, NULL, builder_main, builder);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error) {
		free(builder);
		errno = error;
		return NULL;
	}
	pthread_setname_np(builder->thread, "builder");
	return builder;
}

static void job_give(struct builder *builder, struct classifier_job *job)
{
	pthread_mutex_lock(&builder->lock);
	builder->waiting = job;
	pthread_cond_signal(&builder->changed);
	pthread_mutex_unlock(&builder->lock);
}

static struct classifier_job *job_take(struct builder *builder)
{
	struct classifier_job *job;

	pthread_mutex_lock(&builder->lock);
	job = builder->done;
	builder->done = NULL;
	pthread_mutex_unlock(&builder->lock);
	return job;
}

void builder_destroy(struct builder *builder)
{
	if (!builder)
		return;
	pthread_mutex_lock(&builder->lock);
	builder->stop = true;
	pthread_cond_signal(&builder->changed);
	pthread_mutex_unlock(&builder->lock);
	pthread_join(builder->thread, NULL);
	if (builder->waiting)
		classifier_job_end(builder->waiting, clock_ms());
	if (builder->done)
		classifier_job_end(builder->done, clock_ms());
	pthread_cond_destroy(&builder->changed);
	pthread_mutex_destroy(&builder->lock);
	free(builder);
}

// Every bridge has its turn.
static struct classifier_job *job_find(struct builder *builder, struct datapath *datapath)
{
	struct classifier_job *job = NULL;

	for (unsigned i = 0; i < BRIDGES_MAX && !job; i++) {
		struct bridge *bridge = datapath->bridges[builder->bridge];

		builder->bridge = (builder->bridge + 1) % BRIDGES_MAX;
		if (bridge)
			job = pipeline_classifier_job(bridge->pipeline, clock_ms());
	}
	return job;
}

void builder_step(struct builder *builder, struct datapath *datapath)
{
	struct classifier_job *job;

	if (builder->busy) {
		job = job_take(builder);
		if (!job)
			return;
		classifier_job_end(job, clock_ms());
		builder->busy = false;
	}
	job = job_find(builder, datapath);
	if (!job)
		return;
	builder->busy = true;
	job_give(builder, job);
}
