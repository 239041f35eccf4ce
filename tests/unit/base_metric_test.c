/* What could go wrong: two metrics of one name and label set, counts lost between threads, HELP lines
 * repeated inside a family, memory that grows without bound. How we look: the rendered text, adding from four
 * threads, and more metrics than the bound. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/metric.h"

#define CHECK(what) assert_true(what)

static size_t times(const char *text, const char *what)
{
    size_t count = 0;

    for (; (text = strstr(text, what)); text += strlen(what))
        count++;
    return count;
}

static void families_are_rendered_once(void **state)
{
    struct buf out = buf_init(1 << 20);
    struct metric *a = metric_counter("pinrail_test_records_total", "topic=\"a\"", "records");
    struct metric *b = metric_counter("pinrail_test_records_total", "topic=\"b\"", "records");

    CHECK(a != b && a == metric_counter("pinrail_test_records_total", "topic=\"a\"", "records"));
    metric_add(a, 3);
    metric_add(a, 4);
    metric_set(metric_gauge("pinrail_test_open", "", "open things"), -2);
    CHECK(metric_value(a) == 7 && metric_render(&out) == ERR_OK);
    CHECK(times(buf_text(&out),
                "# HELP pinrail_test_records_total records\n# TYPE pinrail_test_records_total counter\n") ==
          1);
    CHECK(times(buf_text(&out),
                "\npinrail_test_records_total{topic=\"a\"} 7\npinrail_test_records_total{topic=\"b\"} 0\n") ==
          1);
    CHECK(times(buf_text(&out), "# TYPE pinrail_test_open gauge\npinrail_test_open -2\n") == 1);
    CHECK(times(buf_text(&out), "\nprocess_resident_memory_bytes ") == 1);
    buf_release(&out);
}

static void *add_many(void *metric)
{
    for (int i = 0; i < 100000; i++)
        metric_add(metric, 1);
    return NULL;
}

static void threads_lose_nothing(void **state)
{
    struct metric *metric = metric_counter("pinrail_test_threads_total", "", "added by threads");
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, add_many, metric) == 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    CHECK(metric_value(metric) == 400000);
}

static void there_is_a_bound(void **state)
{
    struct buf out = buf_init(8 << 20);

    for (int i = 0; i < 5000; i++) {
        char labels[32];
        snprintf(labels, sizeof(labels), "n=\"%d\"", i);
        metric_add(metric_counter("pinrail_test_many_total", labels, "many"), 1);
    }
    CHECK(metric_render(&out) == ERR_OK && times(buf_text(&out), "\npinrail_metrics_dropped ") == 1);
    CHECK(times(buf_text(&out), "\npinrail_test_many_total{") <= 4096);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(families_are_rendered_once),
        cmocka_unit_test(threads_lose_nothing),
        cmocka_unit_test(there_is_a_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
