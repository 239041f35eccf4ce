/* cron.c - cron expressions: when is the next time?
 *
 *     minute 0-59 | hour 0-23 | day of month 1-31 | month 1-12 or jan-dec | day of week 0-7 or sun-sat (0, 7: Sunday)
 *
 * A field is a list of `*`, `a`, `a-b`, each with an optional step `/n` (`a/n` runs from a to the field's end). All is
 * in UTC. As in crontab(5), a day matches by either of its two fields when both are restricted (do not begin with
 * `*`), else by both. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include "schedule/schedule.h"

enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELDS };

struct cron {
    uint64_t bits[FIELDS]; /* bit n: the value n matches */
    bool any[FIELDS];      /* the field begins with `*` */
};

static const char *const months[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                     "jul", "aug", "sep", "oct", "nov", "dec"};
static const char *const weekdays[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

static const struct field {
    const char *name;
    int least, most;
    const char *const *names; /* the first stands for `least` */
    int name_count;
} fields[FIELDS] = {
    {"minute", 0, 59, NULL, 0},   {"hour", 0, 23, NULL, 0},           {"day of month", 1, 31, NULL, 0},
    {"month", 1, 12, months, 12}, {"day of week", 0, 7, weekdays, 7},
};

static const struct {
    const char *name, *expression;
} nicknames[] = {
    {"@hourly", "0 * * * *"},  {"@daily", "0 0 * * *"},  {"@midnight", "0 0 * * *"}, {"@weekly", "0 0 * * 0"},
    {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"},
};

/* A number or a name at *text, which moves behind it; -1: neither. */
static int read_value(const struct field *field, const char **text)
{
    size_t length = 0;
    int value = 0;

    if (isdigit((unsigned char)**text)) {
        for (; isdigit((unsigned char)**text) && value < 1000; (*text)++)
            value = value * 10 + (**text - '0');
        return value;
    }
    while (isalpha((unsigned char)(*text)[length]))
        length++;
    for (int i = 0; i < field->name_count; i++)
        if (length == 3 && strncasecmp(*text, field->names[i], 3) == 0) {
            *text += 3;
            return field->least + i;
        }
    return -1;
}

/* One element of a field's list: its bits; 0: malformed. */
static uint64_t read_element(const struct field *field, const char **text)
{
    int from, to, step = 1;
    uint64_t bits = 0;

    if (**text == '*') {
        (*text)++;
        from = field->least;
        to = field->most;
    } else {
        from = to = read_value(field, text);
        if (**text == '-') {
            (*text)++;
            to = read_value(field, text);
        } else if (**text == '/') {
            to = field->most;
        }
    }
    if (**text == '/') {
        (*text)++;
        if (!isdigit((unsigned char)**text))
            return 0;
        step = read_value(field, text);
    }
    if (from < field->least || to > field->most || from > to || step < 1)
        return 0;
    for (int value = from; value <= to; value += step)
        bits |= (uint64_t)1 << value;
    return bits;
}

static enum err read_field(struct cron *cron, int index, const char **text)
{
    const struct field *field = &fields[index];
    const char *start = *text;
    int length;

    cron->any[index] = **text == '*';
    do {
        uint64_t bits;

        if (**text == ',')
            (*text)++;
        bits = read_element(field, text);
        if (!bits)
            goto malformed;
        cron->bits[index] |= bits;
    } while (**text == ',');
    if (**text == '\0' || **text == ' ' || **text == '\t')
        return ERR_OK;
malformed:
    for (length = 0; start[length] && start[length] != ' ' && start[length] != '\t';)
        length++;
    return err_note(ERR_INVALID,
                    "the %s of a cron expression is %d to %d, with *, lists, ranges and steps; not \"%.*s\"",
                    field->name, field->least, field->most, length, start);
}

enum err cron_parse(struct cron **out, const char *expression)
{
    struct cron *cron = calloc(1, sizeof(*cron));
    const char *text = expression;
    enum err err = ERR_OK;

    if (!cron)
        return err_note(ERR_NO_MEMORY, "out of memory for a cron expression");
    text += strspn(text, " \t");
    for (size_t i = 0; i < sizeof(nicknames) / sizeof(*nicknames); i++)
        if (strcasecmp(text, nicknames[i].name) == 0)
            text = nicknames[i].expression;
    for (int i = 0; !err && i < FIELDS; i++) {
        text += strspn(text, " \t");
        if (*text == '\0')
            err = err_note(ERR_INVALID,
                           "a cron expression has five fields (minute, hour, day of month, month, day of "
                           "week); \"%s\" has %d",
                           expression, i);
        else
            err = read_field(cron, i, &text);
    }
    if (!err && text[strspn(text, " \t")] != '\0')
        err = err_note(ERR_INVALID, "a cron expression has five fields; \"%s\" has more", expression);
    if (!err) {
        if (cron->bits[WEEKDAY] & 1 << 7)
            cron->bits[WEEKDAY] |= 1; /* 7 is Sunday too */
        *out = cron;
        cron = NULL;
    }
    cron_free(cron);
    return err;
}

void cron_free(struct cron *cron)
{
    free(cron);
}

static bool has(const struct cron *cron, int field, int value)
{
    return cron->bits[field] >> value & 1;
}

static bool day_matches(const struct cron *cron, const struct tm *tm)
{
    bool by_date = has(cron, DAY, tm->tm_mday), by_weekday = has(cron, WEEKDAY, tm->tm_wday);

    if (!has(cron, MONTH, tm->tm_mon + 1))
        return false;
    return cron->any[DAY] || cron->any[WEEKDAY] ? by_date && by_weekday : by_date || by_weekday;
}

/* The first matching minute of a day from `minute` on; -1: none. */
static int minute_of_day(const struct cron *cron, int minute)
{
    for (; minute < 24 * 60; minute++)
        if (has(cron, HOUR, minute / 60) && has(cron, MINUTE, minute % 60))
            return minute;
    return -1;
}

int64_t cron_next(const struct cron *cron, int64_t after_ms)
{
    enum { DAYS_LOOKED_AT = 8 * 366 + 1 }; /* 29 February can be eight years away: 2096 to 2104 */
    int64_t minutes = after_ms / 60000 + 1, day = minutes / (24 * 60);
    int from = (int)(minutes % (24 * 60));

    if (after_ms < 0)
        return -1;
    for (int i = 0; i < DAYS_LOOKED_AT; i++, day++, from = 0) {
        time_t seconds = (time_t)(day * 24 * 60 * 60);
        struct tm tm;
        int minute;

        if (!gmtime_r(&seconds, &tm) || !day_matches(cron, &tm))
            continue;
        minute = minute_of_day(cron, from);
        if (minute >= 0)
            return (day * 24 * 60 + minute) * 60000;
    }
    return -1;
}
