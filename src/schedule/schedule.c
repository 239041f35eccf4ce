/* schedule.c - a job at its times.
 *
 * A time that passed while nothing was running is made up for at the next start (schedule.catchup): one run for all
 * that were missed, since a run does whatever there is to do. A failed run is tried again schedule.retries times. Of
 * all schedules of a process one job runs at a time. */
#include "schedule/schedule.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/trace.h"
#include "schedule/history.h"

struct schedule {
    const struct config *config;
    struct disk *disk;
    struct cron *cron;
    char *name;
    schedule_job *job;
    void *arg;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake; /* stop was set */
    bool stop;
};

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

/* Wait until that wall-clock time, looking at the clock now and then since it may be set. False: asked to stop. */
static bool wait_until(struct schedule *schedule, int64_t due_ms)
{
    bool stop;

    pthread_mutex_lock(&schedule->lock);
    while (!schedule->stop && (due_ms < 0 || clock_wall_ms() < due_ms)) {
        int64_t left = due_ms < 0 ? 60000 : due_ms - clock_wall_ms();
        struct timespec until;

        clock_gettime(CLOCK_REALTIME, &until);
        left = left > 10000 ? 10000 : left;
        until.tv_sec += left / 1000;
        until.tv_nsec += left % 1000 * 1000000;
        if (until.tv_nsec >= 1000000000) {
            until.tv_nsec -= 1000000000;
            until.tv_sec++;
        }
        pthread_cond_timedwait(&schedule->wake, &schedule->lock, &until);
    }
    stop = schedule->stop;
    pthread_mutex_unlock(&schedule->lock);
    return !stop;
}

static enum err run_once(struct schedule *schedule, int64_t due_ms, int attempt)
{
    struct history_run run = {.name = schedule->name, .due_ms = due_ms, .attempt = attempt};
    char sentence[1024] = "";

    pthread_mutex_lock(&one_at_a_time);
    run.started_ms = clock_wall_ms();
    run.err = schedule->job(schedule->arg);
    run.ended_ms = clock_wall_ms();
    pthread_mutex_unlock(&one_at_a_time);
    if (run.err)
        snprintf(sentence, sizeof(sentence), "%s", err_sentence());
    run.error = sentence;
    if (run.err)
        trace_error("schedule", "%s failed (attempt %d): %s", schedule->name, attempt, sentence);
    else
        trace_info("schedule", "%s ran in %.1f s", schedule->name,
                   (double)(run.ended_ms - run.started_ms) / 1000);
    if (history_add(schedule->config, schedule->disk, &run))
        trace_error("schedule", "cannot write down that %s ran: %s", schedule->name, err_sentence());
    return run.err;
}

static void run_with_retries(struct schedule *schedule, int64_t due_ms)
{
    int64_t retries = config_integer(schedule->config, "schedule.retries");
    int64_t delay_ms = config_integer(schedule->config, "schedule.retry.delay.ms");

    for (int attempt = 1; run_once(schedule, due_ms, attempt) && attempt <= retries; attempt++)
        if (!wait_until(schedule, clock_wall_ms() + delay_ms))
            return;
}

/* The last time that passed since `since_ms`; -1: none did. */
static int64_t last_missed(const struct cron *cron, int64_t since_ms, int64_t now_ms)
{
    enum { STEPS_MOST = 1000000 }; /* about two years of minutes; beyond it a run is due anyway */
    int64_t missed = -1;

    for (int i = 0; i < STEPS_MOST; i++) {
        int64_t next = cron_next(cron, since_ms);

        if (next < 0 || next > now_ms)
            break;
        missed = since_ms = next;
    }
    return missed;
}

static void *run(void *arg)
{
    struct schedule *schedule = arg;
    int64_t now_ms = clock_wall_ms(), due_ms, missed_ms = -1;

    if (history_last_due(schedule->config, schedule->disk, schedule->name, &due_ms))
        trace_warn("schedule", "cannot read the history: %s", err_sentence());
    else if (due_ms >= 0 && config_flag(schedule->config, "schedule.catchup"))
        missed_ms = last_missed(schedule->cron, due_ms, now_ms);
    if (missed_ms >= 0)
        run_with_retries(schedule, missed_ms);
    for (;;) {
        due_ms = cron_next(schedule->cron, now_ms);
        if (!wait_until(schedule, due_ms))
            return NULL;
        run_with_retries(schedule, due_ms);
        /* What became due while the job ran is one more run, at once. */
        now_ms = clock_wall_ms();
        missed_ms = last_missed(schedule->cron, due_ms, now_ms);
        if (missed_ms >= 0)
            now_ms = missed_ms - 1;
        else if (now_ms < due_ms)
            now_ms = due_ms; /* the clock was set back: not twice */
    }
}

static void schedule_free(struct schedule *schedule)
{
    if (!schedule)
        return;
    cron_free(schedule->cron);
    free(schedule->name);
    pthread_cond_destroy(&schedule->wake);
    pthread_mutex_destroy(&schedule->lock);
    free(schedule);
}

enum err schedule_start(struct schedule **out, const struct config *config, struct disk *disk,
                        const char *name, const char *expression, schedule_job *job, void *arg)
{
    struct schedule *schedule = calloc(1, sizeof(*schedule));
    enum err err;

    if (!schedule)
        return err_note(ERR_NO_MEMORY, "out of memory for a schedule");
    *schedule =
        (struct schedule){.config = config, .disk = disk, .job = job, .arg = arg, .name = strdup(name)};
    pthread_mutex_init(&schedule->lock, NULL);
    pthread_cond_init(&schedule->wake, NULL);
    err = schedule->name ? cron_parse(&schedule->cron, expression)
                         : err_note(ERR_NO_MEMORY, "out of memory for a schedule");
    if (!err && pthread_create(&schedule->thread, NULL, run, schedule) != 0)
        err = err_note(ERR_IO, "cannot start the thread of schedule %s", name);
    if (!err) {
        *out = schedule;
        schedule = NULL;
    }
    schedule_free(schedule);
    return err;
}

void schedule_stop(struct schedule *schedule)
{
    if (!schedule)
        return;
    pthread_mutex_lock(&schedule->lock);
    schedule->stop = true;
    pthread_cond_signal(&schedule->wake);
    pthread_mutex_unlock(&schedule->lock);
    pthread_join(schedule->thread, NULL);
    schedule_free(schedule);
}
