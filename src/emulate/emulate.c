/* emulate.c - several requests under way at once over libcurl, until the posts are all acknowledged.
 *
 * A lane takes one batch of posts from the source and has a request for each of their three tables. It is busy until
 * every row is acknowledged or given up; then it takes the next batch. A request that failed waits and is sent again
 * with the rows that are still open, twice as long each time, with jitter, so that many clients do not come back in
 * step. */
#include "emulate/emulate.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/trace.h"
#include "emulate/request.h"

enum {
    TABLES = 3,
    DEFAULT_CONNECTIONS = 24,        /* more than the door needs to be busy while it syncs */
    DEFAULT_CONNECTIONS_SINGLE = 48, /* one group commit then serves more of the small ones */
    ANSWER_MOST = 16 * 1024 * 1024,
    CONNECT_MS = 5000,
    REQUEST_MS = 30000,
    BACKOFF_FIRST_MS = 100,
    BACKOFF_MOST_MS = 5000,
    DRAIN_RETRY_MS = 2000, /* once asked to stop, a request is not tried again for longer than this */
    PROGRESS_EVERY_MS = 100,
    POLL_MOST_MS = 100,
};

static const char *const table_names[TABLES] = {"pin", "geo", "user"};

struct sending {
    struct request request;
    CURL *easy;
    struct buf answer;
    struct lane *lane;
    int table;
    bool single;       /* /record: one row, another path and form */
    bool flying;       /* curl has it */
    int64_t again_ms;  /* when to send it again; 0: not waiting */
    int64_t delay_ms;  /* of the next try */
    int64_t failed_ms; /* since when it fails; 0: it does not */
};

struct lane {
    struct sending sendings[TABLES];
    int open; /* requests under way or waiting */
    int64_t posts;
    bool lost; /* some row was given up */
};

struct run {
    const struct emulate_options *options;
    struct emulate_result *result;
    struct source *source;
    CURLM *multi;
    struct curl_slist *headers;
    char *topics[TABLES];                 /* names of topics or streams */
    char *urls[TABLES], *singles[TABLES]; /* where batches and single records go */
    char where[300];                      /* host:port, for people */
    bool is_loopback;
    struct lane *lanes;
    int lane_count, busy;
    int64_t begun; /* posts taken from the source */
    int64_t start_ms, progress_ms;
    int64_t trouble_ms; /* since when the door takes nothing; 0: it does */
    bool ending;        /* take no more posts */
    enum err err;       /* why, if not because all is done */
    char why[WHY_ROOM * 2];
};

static bool is_stopping(const struct run *run)
{
    return run->options->stop && *run->options->stop;
}

/* ---- words for people ---- */

static void say(const struct run *run, const char *sentence)
{
    if (run->options->say)
        run->options->say(run->options->arg, sentence);
    else
        trace_warn("emulate", "%s", sentence);
}

static void say_trouble(struct run *run, const char *why)
{
    char sentence[WHY_ROOM * 2];

    if (run->trouble_ms)
        return;
    run->trouble_ms = clock_steady_ms();
    snprintf(sentence, sizeof(sentence), "%s does not take rows: %s; trying again for up to %.0f s",
             run->where, why, (double)run->options->retry_most_ms / 1000);
    say(run, sentence);
}

static void say_better(struct run *run)
{
    char sentence[WHY_ROOM];

    if (!run->trouble_ms)
        return;
    snprintf(sentence, sizeof(sentence), "%s takes rows again, after %.1f s", run->where,
             (double)(clock_steady_ms() - run->trouble_ms) / 1000);
    run->trouble_ms = 0;
    say(run, sentence);
}

static void end(struct run *run, enum err err, const char *why)
{
    run->ending = true;
    if (run->err)
        return; /* the first reason counts */
    run->err = err;
    snprintf(run->why, sizeof(run->why), "%s", why);
}

static void show_progress(struct run *run, bool now)
{
    const struct emulate_options *options = run->options;
    int64_t steady = clock_steady_ms(), total = options->count, in_source = source_count(run->source);

    if (!options->progress || (!now && steady - run->progress_ms < PROGRESS_EVERY_MS))
        return;
    run->progress_ms = steady;
    if (in_source >= 0 && (total < 0 || in_source < total))
        total = in_source;
    options->progress(options->arg, run->result->posts, total, (double)(steady - run->start_ms) / 1000);
}

/* ---- a request ---- */

static size_t take_answer(char *at, size_t size, size_t count, void *arg)
{
    struct sending *sending = arg;

    return buf_add(&sending->answer, at, size * count) ? 0 : size * count;
}

static enum err fly(struct run *run, struct sending *sending)
{
    struct request *request = &sending->request;
    enum err err = request_render(request, run->options->mode, sending->single, run->topics[sending->table]);

    if (err)
        return err;
    buf_clear(&sending->answer);
    curl_easy_setopt(sending->easy, CURLOPT_URL,
                     sending->single ? run->singles[sending->table] : run->urls[sending->table]);
    curl_easy_setopt(sending->easy, CURLOPT_POSTFIELDS, request->body.at);
    curl_easy_setopt(sending->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.size);
    if (curl_multi_add_handle(run->multi, sending->easy) != CURLM_OK)
        return err_note(ERR_NO_MEMORY, "no memory for a request");
    sending->flying = true;
    sending->again_ms = 0;
    return ERR_OK;
}

static void lane_settled(struct run *run, struct sending *sending, bool taken)
{
    struct lane *lane = sending->lane;

    sending->failed_ms = sending->again_ms = 0;
    lane->lost = lane->lost || !taken;
    if (--lane->open > 0)
        return;
    run->busy--;
    if (!lane->lost)
        run->result->posts += lane->posts;
}

static void count_rows(struct run *run, int table, size_t rows)
{
    int64_t *const counts[TABLES] = {&run->result->pins, &run->result->geos, &run->result->users};

    *counts[table] += (int64_t)rows;
}

static void try_later(struct run *run, struct sending *sending, const char *why)
{
    int64_t now = clock_steady_ms(), most = run->options->retry_most_ms;
    char sentence[WHY_ROOM * 2];

    if (is_stopping(run) && most > DRAIN_RETRY_MS)
        most = DRAIN_RETRY_MS;
    if (!sending->failed_ms) {
        sending->failed_ms = now;
        sending->delay_ms = BACKOFF_FIRST_MS;
    }
    if (run->err || now - sending->failed_ms >= most) {
        snprintf(sentence, sizeof(sentence), "%s does not take rows: %s (tried for %.1f s)", run->where, why,
                 (double)(now - sending->failed_ms) / 1000);
        end(run, ERR_UNREACHABLE, sentence);
        lane_settled(run, sending, false);
        return;
    }
    say_trouble(run, why);
    sending->again_ms = now + sending->delay_ms / 2 + arc4random_uniform((uint32_t)sending->delay_ms / 2 + 1);
    sending->delay_ms = sending->delay_ms * 2 < BACKOFF_MOST_MS ? sending->delay_ms * 2 : BACKOFF_MOST_MS;
}

/* Failures of the way there that pass by themselves; others (a bad certificate, a bad name) do not. */
static bool may_pass(CURLcode code)
{
    switch (code) {
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_WEIRD_SERVER_REPLY:
        return true;
    default:
        return false;
    }
}

static void landed(struct run *run, struct sending *sending, CURLcode code)
{
    size_t sent = sending->request.count;
    enum verdict verdict = VERDICT_REFUSED;
    char why[WHY_ROOM] = "", sentence[WHY_ROOM * 2];
    long status = 0;

    curl_multi_remove_handle(run->multi, sending->easy);
    sending->flying = false;
    curl_easy_getinfo(sending->easy, CURLINFO_RESPONSE_CODE, &status);
    if (code == CURLE_OK) {
        verdict = request_judge(&sending->request, run->options->mode, sending->single, status,
                                buf_bytes(&sending->answer), why);
        count_rows(run, sending->table, sent - sending->request.count);
    } else {
        snprintf(why, sizeof(why), "%s", curl_easy_strerror(code));
        verdict = may_pass(code) ? VERDICT_AGAIN : VERDICT_REFUSED;
    }
    switch (verdict) {
    case VERDICT_TAKEN:
        say_better(run);
        lane_settled(run, sending, true);
        break;
    case VERDICT_AGAIN:
        try_later(run, sending, why);
        break;
    case VERDICT_REFUSED:
        snprintf(sentence, sizeof(sentence), "%s refused a %s row (index %lld): %s", run->where,
                 table_names[sending->table], (long long)sending->request.rows[0].index, why);
        end(run, code == CURLE_OK ? ERR_INVALID : ERR_UNREACHABLE, sentence);
        lane_settled(run, sending, false);
        break;
    }
}

/* Send again what has waited long enough; give up what need not wait any more. The time until the next one. */
static int64_t send_waiting(struct run *run)
{
    int64_t now = clock_steady_ms(), next = POLL_MOST_MS;

    for (int i = 0; i < run->lane_count * TABLES; i++) {
        struct sending *sending = &run->lanes[i / TABLES].sendings[i % TABLES];
        if (!sending->again_ms)
            continue;
        if (run->err) {
            lane_settled(run, sending, false);
        } else if (sending->again_ms > now &&
                   !(is_stopping(run) && now - sending->failed_ms > DRAIN_RETRY_MS)) {
            next = sending->again_ms - now < next ? sending->again_ms - now : next;
        } else {
            enum err err = fly(run, sending);
            run->result->retries++;
            if (err) {
                end(run, err, err_sentence());
                lane_settled(run, sending, false);
            }
        }
    }
    return next;
}

/* ---- posts into lanes ---- */

/* How many posts the next batch may have, and in *wait_ms when, if not now. */
static int64_t allowed(const struct run *run, int64_t *wait_ms)
{
    const struct emulate_options *options = run->options;
    int64_t most = options->batch;

    *wait_ms = 0;
    if (options->rate > 0) {
        double due_ms = (double)run->begun / options->rate * 1000;
        int64_t wait = run->start_ms + (int64_t)due_ms - clock_steady_ms();
        if (wait > 0) {
            *wait_ms = wait;
            return 0;
        }
        if ((double)most > options->rate) /* no request waits over a second to fill */
            most = options->rate < 1 ? 1 : (int64_t)options->rate;
    }
    if (options->count >= 0 && options->count - run->begun < most)
        most = options->count - run->begun;
    return most;
}

static enum err take_posts(struct run *run, struct lane *lane, int64_t most)
{
    enum err err = ERR_OK;

    lane->posts = 0;
    for (int t = 0; t < TABLES; t++)
        request_clear(&lane->sendings[t].request);
    while (lane->posts < most && !err) {
        struct post post;
        err = source_next(run->source, &post);
        if (err)
            break;
        const struct bytes rows[TABLES] = {post.pin, post.geo, post.user};
        for (int t = 0; t < TABLES && !err; t++)
            if (rows[t].at)
                err = request_add(&lane->sendings[t].request, post.index, rows[t]);
        lane->posts++;
    }
    run->begun += lane->posts;
    return err;
}

static void fill_lane(struct run *run, struct lane *lane, int64_t most)
{
    enum err err = take_posts(run, lane, most);

    if (err && err != ERR_END) {
        end(run, err, err_sentence());
        return;
    }
    if (err == ERR_END)
        run->ending = true;
    lane->lost = false;
    for (int t = 0; t < TABLES; t++)
        lane->open += lane->sendings[t].request.count > 0;
    run->busy += lane->open > 0;
    for (int t = 0; t < TABLES; t++) {
        struct sending *sending = &lane->sendings[t];
        if (sending->request.count == 0)
            continue;
        sending->single = run->options->mode == EMULATE_STREAMING && run->options->batch == 1;
        err = fly(run, sending);
        if (err) {
            end(run, err, err_sentence());
            lane_settled(run, sending, false);
        }
    }
}

/* Give idle lanes new posts. The time until there is something to do again. */
static int64_t fill_lanes(struct run *run)
{
    int64_t wait_ms = 0;

    for (int i = 0; i < run->lane_count && !run->ending; i++) {
        struct lane *lane = &run->lanes[i];
        int64_t most;
        if (lane->open > 0)
            continue;
        most = is_stopping(run) ? 0 : allowed(run, &wait_ms);
        if (most == 0 && wait_ms > 0)
            return wait_ms < POLL_MOST_MS ? wait_ms : POLL_MOST_MS;
        if (most == 0)
            run->ending = true;
        else
            fill_lane(run, lane, most);
    }
    return POLL_MOST_MS;
}

/* Take in the answers that came. */
static bool land_all(struct run *run)
{
    CURLMsg *message;
    bool any = false;
    int left;

    while ((message = curl_multi_info_read(run->multi, &left))) {
        struct sending *sending = NULL;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&sending);
        landed(run, sending, message->data.result);
        any = true;
    }
    return any;
}

static void fly_all(struct run *run)
{
    for (;;) {
        int64_t fill_ms = fill_lanes(run), again_ms = send_waiting(run);
        int flying;

        if (run->ending && run->busy == 0)
            return;
        curl_multi_perform(run->multi, &flying);
        show_progress(run, false);
        if (!land_all(run))
            curl_multi_poll(run->multi, NULL, 0, (int)(fill_ms < again_ms ? fill_ms : again_ms), NULL);
    }
}

/* ---- setting up ---- */

static enum err check_options(const struct emulate_options *options)
{
    int most = options->mode == EMULATE_STREAMING ? EMULATE_STREAMING_BATCH_MOST : EMULATE_BATCH_MOST;

    if (options->batch < 1 || options->batch > most)
        return err_note(ERR_INVALID, "a request takes 1 to %d rows in %s mode, not %d", most,
                        options->mode == EMULATE_STREAMING ? "streaming" : "batch", options->batch);
    if (options->connections < 0 || options->connections > EMULATE_CONNECTIONS_MOST)
        return err_note(ERR_INVALID, "connections are 1 to %d", EMULATE_CONNECTIONS_MOST);
    if (!(options->rate >= 0))
        return err_note(ERR_INVALID, "the rate is a number of posts a second, or 0 for as fast as possible");
    return ERR_OK;
}

/* Take the URL apart: only http and https, no query; and for people its host and port, but never its user. */
static enum err check_url(struct run *run)
{
    char *scheme = NULL, *host = NULL, *port = NULL, *query = NULL;
    CURLU *url = curl_url();
    enum err err = ERR_OK;

    if (!url)
        return err_note(ERR_NO_MEMORY, "no memory for a URL");
    if (curl_url_set(url, CURLUPART_URL, run->options->url, 0) ||
        curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) ||
        (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0) ||
        curl_url_get(url, CURLUPART_HOST, &host, 0) ||
        curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) ||
        !curl_url_get(url, CURLUPART_QUERY, &query, 0)) {
        err =
            err_note(ERR_INVALID, "the door's URL is not of the form http://HOST:PORT or https://HOST/STAGE");
    } else {
        snprintf(run->where, sizeof(run->where), "%s:%s", host, port);
        run->is_loopback =
            strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 || strcmp(host, "[::1]") == 0;
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_free(query);
    curl_url_cleanup(url);
    return err;
}

static enum err make_urls(struct run *run)
{
    const struct emulate_options *options = run->options;
    size_t base = strlen(options->url);
    int made = 0;

    while (base > 0 && options->url[base - 1] == '/')
        base--;
    for (int t = 0; t < TABLES && made >= 0; t++) {
        bool streaming = options->mode == EMULATE_STREAMING;
        char *name;
        made = streaming ? asprintf(&run->topics[t], "streaming-%s-%s", options->user, table_names[t])
                         : asprintf(&run->topics[t], "%s.%s", options->user, table_names[t]);
        name = made < 0 ? NULL : curl_easy_escape(NULL, run->topics[t], 0);
        if (!name)
            break;
        made = streaming ? asprintf(&run->urls[t], "%.*s/streams/%s/records", (int)base, options->url, name)
                         : asprintf(&run->urls[t], "%.*s/topics/%s", (int)base, options->url, name);
        if (made >= 0)
            made = asprintf(&run->singles[t], "%.*s/streams/%s/record", (int)base, options->url, name);
        curl_free(name);
        if (made < 0)
            break;
    }
    return run->singles[TABLES - 1] ? ERR_OK : err_note(ERR_NO_MEMORY, "no memory for URLs");
}

static enum err init_sending(struct run *run, struct sending *sending, struct lane *lane, int table)
{
    CURL *easy = curl_easy_init();

    request_init(&sending->request);
    sending->answer = buf_init(ANSWER_MOST);
    sending->lane = lane;
    sending->table = table;
    sending->easy = easy;
    if (!easy)
        return err_note(ERR_NO_MEMORY, "no memory for a connection");
    curl_easy_setopt(easy, CURLOPT_PRIVATE, sending);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_answer);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, sending);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, run->headers);
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    if (run->options->mode == EMULATE_STREAMING)
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "PUT");
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "pinrail/" PINRAIL_VERSION);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)REQUEST_MS);
    if (run->is_loopback)
        curl_easy_setopt(easy, CURLOPT_PROXY, "");
    return ERR_OK;
}

static enum err set_up(struct run *run)
{
    bool streaming = run->options->mode == EMULATE_STREAMING;
    int fallback = run->options->batch == 1 ? DEFAULT_CONNECTIONS_SINGLE : DEFAULT_CONNECTIONS;
    int connections = run->options->connections ? run->options->connections : fallback;
    enum err err = check_options(run->options);

    if (!err)
        err = check_url(run);
    if (!err)
        err = make_urls(run);
    if (err)
        return err;
    run->headers = curl_slist_append(NULL, streaming ? "Content-Type: application/json"
                                                     : "Content-Type: application/vnd.kafka.json.v2+json");
    run->multi = curl_multi_init();
    run->lane_count = (connections + TABLES - 1) / TABLES;
    run->lanes = calloc((size_t)run->lane_count, sizeof(*run->lanes));
    /* No "Expect: 100-continue": it costs a round trip. */
    if (!run->headers || !curl_slist_append(run->headers, "Expect:") || !run->multi || !run->lanes)
        return err_note(ERR_NO_MEMORY, "no memory for connections");
    curl_multi_setopt(run->multi, CURLMOPT_MAXCONNECTS, (long)run->lane_count * TABLES);
    for (int i = 0; i < run->lane_count * TABLES && !err; i++)
        err = init_sending(run, &run->lanes[i / TABLES].sendings[i % TABLES], &run->lanes[i / TABLES],
                           i % TABLES);
    return err;
}

static void tear_down(struct run *run)
{
    for (int i = 0; run->lanes && i < run->lane_count * TABLES; i++) {
        struct sending *sending = &run->lanes[i / TABLES].sendings[i % TABLES];
        curl_easy_cleanup(sending->easy);
        request_release(&sending->request);
        buf_release(&sending->answer);
    }
    free(run->lanes);
    curl_multi_cleanup(run->multi);
    curl_slist_free_all(run->headers);
    for (int t = 0; t < TABLES; t++) {
        free(run->topics[t]);
        free(run->urls[t]);
        free(run->singles[t]);
    }
}

enum err emulate_run(struct source *source, const struct emulate_options *options,
                     struct emulate_result *result)
{
    struct run run = {.options = options, .result = result, .source = source, .start_ms = clock_steady_ms()};
    enum err err;

    *result = (struct emulate_result){0};
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return err_note(ERR_NO_MEMORY, "libcurl does not start");
    err = set_up(&run);
    if (!err) {
        fly_all(&run);
        show_progress(&run, true);
        if (run.err)
            err = err_note(run.err, "%s", run.why);
    }
    result->seconds = (double)(clock_steady_ms() - run.start_ms) / 1000;
    tear_down(&run);
    curl_global_cleanup();
    return err;
}
