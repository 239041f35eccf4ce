/* operate.c - what operators ask for: is it alive, is it ready, its figures, its version. */
#include "gateway/http_door.h"

static void healthz(struct call *call)
{
    call_answer(call, 200, "text/plain; charset=utf-8");
    say(call, "ok\n");
}

/* The door is opened only over an open log, so whoever is answered finds it ready; unless it is about to
 * stop. */
static void readyz(struct call *call)
{
    call_answer(call, call->door->stopping ? 503 : 200, "text/plain; charset=utf-8");
    say(call, call->door->stopping ? "stopping\n" : "ready\n");
}

static void metrics(struct call *call)
{
    call_answer(call, 200, "text/plain; version=0.0.4; charset=utf-8");
    call->reply_err = metric_render(&call->reply);
}

static void version(struct call *call)
{
    call_answer(call, 200, "application/json");
    say(call, "{\"name\":\"pinrail\",\"version\":\"" PINRAIL_VERSION "\"}\n");
}

const struct route operate_routes[] = {
    {"GET", "/healthz", healthz}, {"GET", "/readyz", readyz}, {"GET", "/metrics", metrics},
    {"GET", "/version", version}, {NULL, NULL, NULL},
};
