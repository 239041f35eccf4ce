/* A wrong cron rule runs the daily batch at the wrong time, twice, or never. We ask for the next time of many
 * expressions from chosen moments (all UTC) and look at the date that comes out; malformed ones must name their field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <time.h>

#include "schedule/schedule.h"

static int64_t ms_of(const char *text)
{
    struct tm tm = {0};

    assert_non_null(strptime(text, "%Y-%m-%d %H:%M:%S", &tm));
    return (int64_t)timegm(&tm) * 1000;
}

static const struct {
    const char *expression, *after, *next; /* next NULL: never */
} cases[] = {
    {"0 0 * * *", "2026-11-21 10:00:00", "2026-11-22 00:00:00"},
    {"0 0 * * *", "2026-11-21 23:59:59", "2026-11-22 00:00:00"},
    {"0 0 * * *", "2026-11-22 00:00:00", "2026-11-23 00:00:00"}, /* exclusive */
    {"* * * * *", "2026-11-21 10:00:00", "2026-11-21 10:01:00"},
    {"* * * * *", "2026-11-21 10:00:59", "2026-11-21 10:01:00"},
    {"*/15 * * * *", "2026-11-21 10:46:00", "2026-11-21 11:00:00"},
    {"5/20 * * * *", "2026-11-21 10:26:00", "2026-11-21 10:45:00"},
    {"10-20/5 * * * *", "2026-11-21 10:15:00", "2026-11-21 10:20:00"},
    {"10-20/5 * * * *", "2026-11-21 10:20:00", "2026-11-21 11:10:00"},
    {"0,30 9-17 * * *", "2026-11-21 17:30:00", "2026-11-22 09:00:00"},
    {"59 23 31 12 *", "2026-11-21 10:00:00", "2026-12-31 23:59:00"},
    {"0 0 29 2 *", "2026-11-21 10:00:00", "2028-02-29 00:00:00"},
    {"0 0 29 2 *", "2096-02-29 00:00:00", "2104-02-29 00:00:00"}, /* 2100 is no leap year */
    {"0 0 30 2 *", "2026-11-21 10:00:00", NULL},
    {"0 0 31 4,6,9,11 *", "2026-11-21 10:00:00", NULL},
    {"0 0 31 * *", "2026-11-01 00:00:00", "2026-12-31 00:00:00"},
    {"0 12 * * mon", "2026-11-21 10:00:00", "2026-11-23 12:00:00"}, /* the 21st is a Saturday */
    {"0 12 * * MON-FRI", "2026-11-20 12:00:00", "2026-11-23 12:00:00"},
    {"0 12 * * 0", "2026-11-21 10:00:00", "2026-11-22 12:00:00"},
    {"0 12 * * 7", "2026-11-21 10:00:00", "2026-11-22 12:00:00"},
    {"0 12 * * 5-7", "2026-11-21 13:00:00", "2026-11-22 12:00:00"},
    {"0 0 * jan-mar *", "2026-11-21 10:00:00", "2027-01-01 00:00:00"},
    {"0 0 1 feb,Jul *", "2026-11-21 10:00:00", "2027-02-01 00:00:00"},
    /* both day fields restricted: either may match */
    {"0 0 25 * mon", "2026-11-21 10:00:00", "2026-11-23 00:00:00"},
    {"0 0 25 * mon", "2026-11-23 00:00:00", "2026-11-25 00:00:00"},
    /* one of them begins with a star: both must match */
    {"0 0 */2 * mon", "2026-11-21 10:00:00", "2026-11-23 00:00:00"},
    {"0 0 */2 * mon", "2026-11-23 00:00:00", "2026-12-07 00:00:00"},
    {"@hourly", "2026-11-21 10:00:00", "2026-11-21 11:00:00"},
    {"@daily", "2026-11-21 10:00:00", "2026-11-22 00:00:00"},
    {"@weekly", "2026-11-21 10:00:00", "2026-11-22 00:00:00"},
    {"@monthly", "2026-11-21 10:00:00", "2026-12-01 00:00:00"},
    {"@yearly", "2026-11-21 10:00:00", "2027-01-01 00:00:00"},
    {"  0\t0   * * *  ", "2026-11-21 10:00:00", "2026-11-22 00:00:00"},
};

static void next_times_are_right(void **state)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct cron *cron = NULL;
        int64_t next, want = cases[i].next ? ms_of(cases[i].next) : -1;

        assert_int_equal(cron_parse(&cron, cases[i].expression), ERR_OK);
        next = cron_next(cron, ms_of(cases[i].after));
        if (next != want)
            fail_msg("\"%s\" after %s: %lld, not %s", cases[i].expression, cases[i].after, (long long)next,
                     cases[i].next ? cases[i].next : "never");
        cron_free(cron);
    }
}

static void malformed_ones_name_their_field(void **state)
{
    static const char *const bad[][2] = {
        {"60 * * * *", "minute"},
        {"* 24 * * *", "hour"},
        {"* * 0 * *", "day of month"},
        {"* * 32 * *", "day of month"},
        {"* * * 13 *", "month"},
        {"* * * foo *", "month"},
        {"* * * * 8", "day of week"},
        {"* * * * frid", "day of week"},
        {"5-3 * * * *", "minute"},
        {"*/0 * * * *", "minute"},
        {"1,,2 * * * *", "minute"},
        {"1, * * * *", "minute"},
        {"-5 * * * *", "minute"},
        {"a * * * *", "minute"},
        {"1-/2 * * * *", "minute"},
        {"* * * *", "five fields"},
        {"", "five fields"},
        {"* * * * * *", "five fields"},
        {"99999999999 * * * *", "minute"},
        {"@often", "minute"},
        {"*/ * * * *", "minute"},
        {"*/-1 * * * *", "minute"},
        {"1 2 ? * *", "day of month"},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct cron *cron = NULL;

        if (cron_parse(&cron, bad[i][0]) != ERR_INVALID)
            fail_msg("\"%s\" was taken", bad[i][0]);
        if (!strstr(err_sentence(), bad[i][1]))
            fail_msg("\"%s\": the sentence does not name the %s: %s", bad[i][0], bad[i][1], err_sentence());
    }
}

/* Step through four years of a daily expression: every day once, none left out. */
static void every_day_comes_once(void **state)
{
    struct cron *cron = NULL;
    int64_t at = ms_of("2026-01-01 00:00:00"), end = ms_of("2030-01-01 00:00:00");
    int days = 0;

    assert_int_equal(cron_parse(&cron, "30 3 * * *"), ERR_OK);
    while ((at = cron_next(cron, at)) < end) {
        assert_int_equal(at % 86400000, (3 * 60 + 30) * 60000);
        days++;
    }
    assert_int_equal(days, 1461);
    cron_free(cron);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(next_times_are_right),
        cmocka_unit_test(malformed_ones_name_their_field),
        cmocka_unit_test(every_day_comes_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
