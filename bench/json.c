/* json - how fast the slicer goes over posts: `bench-json FILE.jsonl`. Prints GB/s as medians of 9 runs. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"

enum { RUNS = 9, BODY_BYTES = 64 << 20 };

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return left < right ? -1 : left > right;
}

/* One body {"records":[{"value":POST},...]} of many posts. */
static enum err make_body(const char *path, struct buf *body)
{
    FILE *file = fopen(path, "rb");
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    enum err err;

    if (!file)
        return err_note(ERR_IO, "cannot open %s", path);
    err = buf_add_text(body, "{\"records\":[");
    while (!err && body->size < BODY_BYTES) {
        length = getline(&line, &room, file);
        if (length < 0) {
            rewind(file);
            continue;
        }
        if (body->at[body->size - 1] != '[')
            buf_add_char(body, ',');
        buf_add_text(body, "{\"value\":");
        buf_add(body, line, (size_t)length);
        err = buf_add_char(body, '}');
    }
    if (!err)
        err = buf_add_text(body, "]}");
    free(line);
    fclose(file);
    return err;
}

/* As the REST door does it: three levels cut while checking. */
static size_t pull_records(struct bytes body)
{
    struct json_pull pull = json_pull(body);
    struct json_value key, value;
    size_t count = 0;

    if (json_pull_enter(&pull, JSON_OBJECT) || json_pull_next(&pull, &key) ||
        json_pull_enter(&pull, JSON_ARRAY))
        return 0;
    while (!json_pull_next(&pull, NULL)) {
        if (json_pull_enter(&pull, JSON_OBJECT))
            return 0;
        while (!json_pull_next(&pull, &key))
            if (json_pull_value(&pull, &value))
                return 0;
        count++;
    }
    return count;
}

static void report(const char *what, double *seconds, size_t size)
{
    qsort(seconds, RUNS, sizeof(*seconds), by_value);
    printf("%-8s %6.2f GB/s\n", what, (double)size / seconds[RUNS / 2] / 1e9);
}

int main(int argc, char **argv)
{
    struct buf body = buf_init(2 * BODY_BYTES), out = buf_init(2 * BODY_BYTES);
    double check[RUNS], pull[RUNS], compact[RUNS];
    struct json_value value;
    enum err err =
        argc == 2 ? make_body(argv[1], &body) : err_note(ERR_INVALID, "usage: bench-json FILE.jsonl");

    for (int i = 0; !err && i < RUNS; i++) {
        int64_t start = clock_steady_us();
        err = json_check(buf_bytes(&body), &value, NULL);
        check[i] = (double)(clock_steady_us() - start) / 1e6;
        start = clock_steady_us();
        if (!err && pull_records(buf_bytes(&body)) == 0)
            err = ERR_INVALID;
        pull[i] = (double)(clock_steady_us() - start) / 1e6;
        start = clock_steady_us();
        buf_clear(&out);
        if (!err)
            err = json_compact(value, &out);
        compact[i] = (double)(clock_steady_us() - start) / 1e6;
    }
    if (err) {
        fprintf(stderr, "%s\n", err_sentence());
        return err_exit_status(err);
    }
    report("check", check, body.size);
    report("pull", pull, body.size);
    report("compact", compact, body.size);
    buf_release(&body);
    buf_release(&out);
    return 0;
}
