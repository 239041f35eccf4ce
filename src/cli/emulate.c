/* emulate.c - `pinrail emulate`: posts rows to a door as the course's scripts do, or prints them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli_commands.h"
#include "cli/count.h"
#include "emulate/emulate.h"

enum { BATCH_MODE_ROWS = 100, DEMO_SEED = 1, COURSE_SEED = 100, RETRY_MOST_S = 60 };

const struct cli_option emulate_options[] = {
    {"source", "WHERE",
     "demo (generated, endless), file:DIR (pin.jsonl, geo.jsonl, user.jsonl), "
     "mysql://USER:PASSWORD@HOST:PORT/DATABASE, or the path of a db_creds.yaml [demo]"},
    {"mode", "MODE",
     "batch: POST /topics/USER.pin and so on; streaming: PUT /streams/streaming-USER-pin/record [batch]"},
    {"count", "N", "posts to send; each is a pin, a geo and a user row [until the source ends]"},
    {"rate", "R", "posts a second, 0 for as fast as possible [0]"},
    {"seed", "N", "of the generator [1], and of the draw with --order course [100]"},
    {"batch", "N", "rows a request; streaming uses /records when over 1 [100 in batch mode, 1 in streaming]"},
    {"connections", "N", "requests under way at once; 3 keep posts in order [24; 48 one by one]"},
    {"url", "URL",
     "the door: http://HOST:PORT, or https://HOST/STAGE of a gateway [this data folder's HTTP door]"},
    {"order", "ORDER",
     "each: every row once; course: the rows that the course's script draws, with replacement [each]"},
    {"clean", NULL, "generated posts without placeholders for what is missing"},
    {"retry", "SECONDS",
     "how long a request is sent again when the door does not answer or answers 5xx or 429 [60]"},
    {"dry-run", NULL, "print the posts on stdout instead of sending them, a JSON object a line"},
    {NULL, NULL, NULL},
};

struct shown {
    struct progress progress;
    bool quiet;
};

static void show(void *arg, int64_t posts, int64_t total, double seconds)
{
    struct shown *shown = arg;

    progress_show(&shown->progress, posts, total, seconds);
}

/* A sentence between two states of the bar. */
static void say(void *arg, const char *sentence)
{
    struct shown *shown = arg;

    progress_end(&shown->progress);
    if (!shown->quiet)
        fprintf(stderr, "pinrail: %s\n", sentence);
}

/* The option's value, which must be one of two words; -1 after having complained. */
static int choice(const struct cli *cli, const char *name, const char *first, const char *second)
{
    const char *value = cli_value(cli, name);

    if (!value || strcmp(value, first) == 0)
        return 0;
    if (strcmp(value, second) == 0)
        return 1;
    cli_usage(cli, "--%s is %s or %s, not '%s'", name, first, second, value);
    return -1;
}

static bool parse_rate(const struct cli *cli, double *out)
{
    const char *text = cli_value(cli, "rate");
    char *end;

    *out = 0;
    if (!text)
        return true;
    *out = strtod(text, &end);
    if (end != text && !*end && isfinite(*out) && *out >= 0)
        return true;
    cli_usage(cli, "--rate is a number of posts a second, not '%s'", text);
    return false;
}

static enum err print_part(const char *lead, struct bytes row, bool *first)
{
    if (!row.at)
        return ERR_OK;
    printf("%c\"%s\":", *first ? '{' : ',', lead);
    *first = false;
    return fwrite(row.at, 1, row.size, stdout) == row.size ? ERR_OK : ERR_IO;
}

/* {"pin":{...},"geo":{...},"user":{...}}, without the rows that there are not. */
static enum err print_posts(struct source *source, int64_t count)
{
    struct post post;
    enum err err = ERR_OK;

    for (int64_t i = 0; (count < 0 || i < count) && !cli_stop; i++) {
        bool first = true;
        err = source_next(source, &post);
        if (err)
            break;
        err = print_part("pin", post.pin, &first);
        if (!err)
            err = print_part("geo", post.geo, &first);
        if (!err)
            err = print_part("user", post.user, &first);
        if (err || puts("}") < 0)
            return err_note(ERR_IO, "cannot write to stdout");
    }
    if (err && err != ERR_END)
        return err;
    return fflush(stdout) == 0 ? ERR_OK : err_note(ERR_IO, "cannot write to stdout");
}

static void print_summary(const struct cli *cli, const struct emulate_result *result)
{
    int64_t rows = result->pins + result->geos + result->users;

    if (cli->json)
        printf(
            "{\"posts\":%lld,\"pins\":%lld,\"geos\":%lld,\"users\":%lld,\"retries\":%lld,\"seconds\":%.3f}\n",
            (long long)result->posts, (long long)result->pins, (long long)result->geos,
            (long long)result->users, (long long)result->retries, result->seconds);
    if (!cli->quiet)
        fprintf(stderr,
                "%s posts acknowledged: %s pins, %s geos, %s users in %.1f s, %s rows a second; %s requests "
                "sent again\n",
                count_text(result->posts), count_text(result->pins), count_text(result->geos),
                count_text(result->users), result->seconds,
                count_text((int64_t)((double)rows / (result->seconds > 0 ? result->seconds : 1))),
                count_text(result->retries));
}

static int send_posts(const struct cli *cli, struct source *source, enum emulate_mode mode, int64_t count,
                      double rate)
{
    struct shown shown = {{.what = "posts", .quiet = cli->quiet}, cli->quiet};
    struct emulate_result result = {0};
    char door[300], url[320];
    enum err err = ERR_OK;

    if (!cli_value(cli, "url")) {
        err = config_door(cli->config, "http", door);
        if (err)
            return cli_fail(err);
        snprintf(url, sizeof(url), "http://%s", door);
    }
    struct emulate_options options = {
        .mode = mode,
        .url = cli_value(cli, "url") ? cli_value(cli, "url") : url,
        .user = config_text(cli->config, "user"),
        .count = count,
        .rate = rate,
        .batch = (int)cli_integer(cli, "batch", mode == EMULATE_BATCH ? BATCH_MODE_ROWS : 1),
        .connections = (int)cli_integer(cli, "connections", 0),
        .retry_most_ms = cli_integer(cli, "retry", RETRY_MOST_S) * 1000,
        .progress = show,
        .say = say,
        .arg = &shown,
        .stop = &cli_stop,
    };
    cli_catch_signals();
    err = emulate_run(source, &options, &result);
    progress_end(&shown.progress);
    if (!err || result.pins + result.geos + result.users + result.retries > 0)
        print_summary(cli, &result);
    return err ? cli_fail(err) : 0;
}

int command_emulate(struct cli *cli)
{
    int mode = choice(cli, "mode", "batch", "streaming"),
        order = mode < 0 ? -1 : choice(cli, "order", "each", "course");
    int64_t count = cli_integer(cli, "count", -1),
            seed = cli_integer(cli, "seed", order ? COURSE_SEED : DEMO_SEED);
    struct source_options options = {
        .url = cli_value(cli, "source") ? cli_value(cli, "source") : "demo",
        .order = order == 1 ? SOURCE_COURSE : SOURCE_EACH_ONCE,
        .seed = (uint64_t)seed,
        .clean = cli_value(cli, "clean") != NULL,
    };
    struct source *source = NULL;
    double rate;
    enum err err;
    int status;

    if (mode < 0 || order < 0 || !parse_rate(cli, &rate))
        return 64;
    if (seed < 0 || (cli_value(cli, "count") && count < 0))
        return cli_usage(cli, "--count and --seed are not negative");
    err = source_open(&source, &options);
    if (err)
        return cli_fail(err);
    if (cli_value(cli, "dry-run")) {
        err = print_posts(source, count);
        status = err ? cli_fail(err) : 0;
    } else {
        status = send_posts(cli, source, mode == 1 ? EMULATE_STREAMING : EMULATE_BATCH, count, rate);
    }
    source_close(source);
    return status;
}
