/* What could go wrong: a missed run that is not made up for, or made up for once per missed time; a failed run that is
 * not tried again, or for ever; a history that is lost, grows without end, or cannot be read because of one bad line.
 * How: schedules with jobs that count, on histories that we write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/trace.h"
#include "schedule/history.h"
#include "schedule/schedule.h"

#define CHECK(what) assert_true(what)

static const char never[] = "0 0 29 2 *"; /* but for leap days */

static char folder[64];
static struct config *config;

static int open_folder(void **state)
{
    const char *flags[] = {"data.dir", folder, "schedule.retries", "2", "schedule.retry.delay.ms", "10"};

    snprintf(folder, sizeof(folder), "/tmp/pinrail-schedule-XXXXXX");
    trace_set_level(TRACE_ERROR);
    return !mkdtemp(folder) || config_load(&config, "/dev/null", flags, 3) != ERR_OK;
}

static int close_folder(void **state)
{
    config_free(config);
    return disk_remove_tree(disk_real(), folder) != ERR_OK;
}

struct job {
    atomic_int runs;
    int failures; /* of the first runs */
};

static enum err count_run(void *arg)
{
    struct job *job = arg;
    int run = atomic_fetch_add(&job->runs, 1);

    return run < job->failures ? err_note(ERR_IO, "the test's job fails") : ERR_OK;
}

static int64_t last_due(const char *name)
{
    int64_t due_ms;

    CHECK(history_last_due(config, disk_real(), name, &due_ms) == ERR_OK);
    return due_ms;
}

static void note_run(const char *name, int64_t due_ms)
{
    struct history_run run = {.name = name, .due_ms = due_ms, .attempt = 1, .error = ""};

    CHECK(history_add(config, disk_real(), &run) == ERR_OK);
}

static void wait_runs(struct job *job, int runs)
{
    while (atomic_load(&job->runs) < runs)
        clock_sleep_ms(5);
}

static struct schedule *start(const char *name, const char *expression, struct job *job)
{
    struct schedule *schedule = NULL;

    CHECK(schedule_start(&schedule, config, disk_real(), name, expression, count_run, job) == ERR_OK);
    return schedule;
}

static void the_first_start_makes_up_for_nothing(void **state)
{
    struct job job = {0};
    struct schedule *schedule = start("fresh", "0 0 * * *", &job);

    clock_sleep_ms(50);
    schedule_stop(schedule);
    CHECK(atomic_load(&job.runs) == 0);
    CHECK(last_due("fresh") == -1);
}

/* Three days off, three midnights missed: one run, noted as due at the last of them. */
static void missed_runs_are_made_up_for_once(void **state)
{
    int64_t day_ms = 86400000, midnight = clock_wall_ms() / day_ms * day_ms;
    struct job job = {0};
    struct schedule *schedule;

    note_run("nightly", midnight - 3 * day_ms);
    note_run("other", midnight);
    schedule = start("nightly", "0 0 * * *", &job);
    wait_runs(&job, 1);
    schedule_stop(schedule);
    CHECK(atomic_load(&job.runs) == 1);
    CHECK(last_due("nightly") >= midnight); /* later only if midnight came just now */
    CHECK(last_due("other") == midnight);

    schedule = start("nightly", never, &job); /* nothing was missed since */
    clock_sleep_ms(50);
    schedule_stop(schedule);
    CHECK(atomic_load(&job.runs) == 1);
}

static void a_failed_run_is_tried_again_and_not_for_ever(void **state)
{
    int64_t day_ms = 86400000, midnight = clock_wall_ms() / day_ms * day_ms;
    struct buf history = buf_init(1 << 20);
    struct job once = {.failures = 1}, always = {.failures = 1000};
    struct schedule *schedule;
    char path[200];

    note_run("once", midnight - day_ms);
    schedule = start("once", "0 0 * * *", &once);
    wait_runs(&once, 2);
    clock_sleep_ms(50);
    schedule_stop(schedule);
    CHECK(atomic_load(&once.runs) == 2);

    note_run("always", midnight - day_ms);
    schedule = start("always", "0 0 * * *", &always);
    wait_runs(&always, 3); /* the run and two retries */
    clock_sleep_ms(50);
    schedule_stop(schedule);
    CHECK(atomic_load(&always.runs) == 3);

    snprintf(path, sizeof(path), "%s/run/schedule.jsonl", folder);
    CHECK(disk_read_file(disk_real(), path, &history) == ERR_OK);
    CHECK(strstr(buf_text(&history),
                 "\"attempt\":3,\"outcome\":\"failed\",\"error\":\"the test's job fails\"}"));
    buf_release(&history);
}

static void a_wrong_expression_is_refused(void **state)
{
    struct schedule *schedule = NULL;
    struct job job = {0};

    CHECK(schedule_start(&schedule, config, disk_real(), "x", "0 25 * * *", count_run, &job) == ERR_INVALID);
    CHECK(!schedule);
    schedule_stop(NULL);
}

static void the_history_stays_small_and_survives_damage(void **state)
{
    struct buf text = buf_init(4 << 20);
    char path[200];

    snprintf(path, sizeof(path), "%s/run/schedule.jsonl", folder);
    note_run("kept", 5000);
    for (int i = 0; i < 12000; i++)
        CHECK(buf_printf(&text, "{\"name\":\"old\",\"due\":%d,\"outcome\":\"ok\",\"error\":\"%060d\"}\n", i,
                         0) == ERR_OK);
    CHECK(buf_add_text(&text, "not JSON\n[1,2]\n{\"name\":5}\n{\"name\":\"kept\",\"due\":\"x\"}\n") ==
          ERR_OK);
    CHECK(disk_write_file(disk_real(), path, buf_bytes(&text)) == ERR_OK);
    note_run("kept", 7000);
    CHECK(last_due("kept") == 7000);
    CHECK(last_due("old") == 11999);
    buf_clear(&text);
    CHECK(disk_read_file(disk_real(), path, &text) == ERR_OK);
    CHECK(text.size < 1 << 20 && text.at[0] == '{');
    buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_start_makes_up_for_nothing),
        cmocka_unit_test(missed_runs_are_made_up_for_once),
        cmocka_unit_test(a_failed_run_is_tried_again_and_not_for_ever),
        cmocka_unit_test(a_wrong_expression_is_refused),
        cmocka_unit_test(the_history_stays_small_and_survives_damage),
    };

    return cmocka_run_group_tests(tests, open_folder, close_folder);
}
