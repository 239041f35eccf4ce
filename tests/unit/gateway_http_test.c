/* What could go wrong: an answer before its records are on disk, a failed sync acknowledged, a client that
 * goes away while its request is parked, a stop that leaves parked requests without an answer. How we look: a
 * door in this process over a disk whose sync waits for us, or fails, and clients that are plain sockets. */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/disk_calls.h"
#include "gateway/gateway.h"
#include "log_helpers.h"

#define CHECK(what) assert_true(what)

/* ---- a disk whose sync does what we say ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t opened = PTHREAD_COND_INITIALIZER;
static bool gate_closed; /* syncs wait */
static _Atomic bool sync_fails;
static enum err (*real_sync)(struct disk_file *file);

static void close_gate(void)
{
    pthread_mutex_lock(&lock);
    gate_closed = true;
    pthread_mutex_unlock(&lock);
}

static void open_gate(void)
{
    pthread_mutex_lock(&lock);
    gate_closed = false;
    pthread_cond_broadcast(&opened);
    pthread_mutex_unlock(&lock);
}

static enum err gated_sync(struct disk_file *file)
{
    pthread_mutex_lock(&lock);
    while (gate_closed)
        pthread_cond_wait(&opened, &lock);
    pthread_mutex_unlock(&lock);
    return sync_fails ? err_note(ERR_IO, "the test's disk fails this sync") : real_sync(file);
}

static struct disk *gated_disk(void)
{
    static struct disk_calls calls;
    static struct disk disk = {&calls};

    calls = *disk_real()->calls;
    real_sync = calls.sync;
    calls.sync = gated_sync;
    sync_fails = false;
    return &disk;
}

/* ---- a door ---- */

struct house {
    struct log *log;
    struct config *config;
    struct http_door *door;
};

static void house_open(struct house *house)
{
    const char *flags[] = {"data.dir", test_dir, "http", "127.0.0.1:0"};
    struct log_options options = {.dir = test_dir, .disk = gated_disk()};

    ok(log_open(&house->log, &options));
    ok(log_topic_create(house->log, "t", 1, NULL, 0));
    ok(config_load(&house->config, NULL, flags, 2));
    ok(disk_make_dirs(disk_real(), config_path(house->config, "run")));
    ok(http_door_start(&house->door, house->config, house->log));
}

static void house_close(struct house *house)
{
    http_door_stop(house->door);
    log_close(house->log);
    config_free(house->config);
}

/* ---- a client ---- */

static int client_send(const struct house *house, const char *head, const char *body)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)http_door_port(house->door)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char text[1000];
    int length =
        snprintf(text, sizeof(text), "%s\r\nHost: x\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
                 head, strlen(body), body);

    CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    CHECK(write(fd, text, (size_t)length) == length);
    return fd;
}

static int client_post(const struct house *house)
{
    return client_send(house, "POST /topics/t HTTP/1.1\r\nContent-Type: application/vnd.kafka.json.v2+json",
                       "{\"records\":[{\"value\":1}]}");
}

static bool client_has_answer(int fd, int timeout_ms)
{
    struct pollfd poll_fd = {fd, POLLIN, 0};

    return poll(&poll_fd, 1, timeout_ms) == 1;
}

/* The whole answer; closes the socket. */
static const char *client_answer(int fd)
{
    static char text[8192];
    size_t size = 0;
    ssize_t got;

    while (client_has_answer(fd, 20000) && (got = read(fd, text + size, sizeof(text) - 1 - size)) > 0)
        size += (size_t)got;
    text[size] = 0;
    close(fd);
    return text;
}

/* ---- tests ---- */

static void nothing_is_answered_before_the_sync(void **state)
{
    struct partition *partition;
    struct house house;
    int posts[3], other;

    house_open(&house);
    close_gate();
    for (int i = 0; i < 3; i++)
        posts[i] = client_post(&house);
    other = client_send(&house, "GET /topics/t/partitions/0/offsets HTTP/1.1", "");
    CHECK(strstr(client_answer(other),
                 "\"end_offset\":0}")); /* others are served meanwhile, and see nothing of it */
    for (int i = 0; i < 3; i++)
        CHECK(!client_has_answer(posts[i], 20));
    open_gate();
    for (int i = 0; i < 3; i++)
        CHECK(strstr(client_answer(posts[i]), " 200 OK\r\n"));
    partition = log_partition(house.log, "t", 0);
    CHECK(partition_end_offset(partition) == 3);
    partition_put(partition);
    house_close(&house);
}

static void a_failed_sync_is_never_acknowledged(void **state)
{
    struct house house;
    const char *answer;
    int post, put;

    house_open(&house);
    close_gate();
    post = client_post(&house);
    put = client_send(&house,
                      "POST / HTTP/1.1\r\nX-Amz-Target: Kinesis_20131202.PutRecord\r\nContent-Type: "
                      "application/x-amz-json-1.1",
                      "{\"StreamName\":\"t\",\"PartitionKey\":\"k\",\"Data\":\"\"}");
    CHECK(!client_has_answer(put, 20));
    sync_fails = true;
    open_gate();
    answer = client_answer(post);
    CHECK(strstr(answer, " 500 ") && strstr(answer, "\"error_code\":50003"));
    answer = client_answer(put);
    CHECK(strstr(answer, " 500 ") && strstr(answer, "InternalFailure"));
    answer = client_answer(client_post(&house)); /* and the partition takes nothing from then on */
    CHECK(strstr(answer, "\"error_code\":50003") && !strstr(answer, "\"offset\":1"));
    house_close(&house);
}

static void a_client_may_go_away_while_parked(void **state)
{
    struct house house;

    house_open(&house);
    close_gate();
    for (int i = 0; i < 20; i++) {
        int fd = client_post(&house);
        struct linger now = {1, 0};
        if (i % 2)
            CHECK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)) ==
                  0); /* reset instead of a goodbye */
        clock_sleep_ms(1);
        close(fd);
    }
    open_gate();
    CHECK(strstr(client_answer(client_post(&house)), " 200 OK\r\n"));
    house_close(&house);
}

static void *open_gate_later(void *arg)
{
    clock_sleep_ms(50);
    open_gate();
    return NULL;
}

static void stopping_answers_what_is_parked(void **state)
{
    struct house house;
    pthread_t opener;
    int posts[5];

    house_open(&house);
    close_gate();
    for (int i = 0; i < 5; i++)
        posts[i] = client_post(&house);
    /* Once a request behind them is answered, all five have been read. */
    CHECK(strstr(client_answer(client_send(&house, "GET /healthz HTTP/1.1", "")), " 200 OK\r\n"));
    CHECK(pthread_create(&opener, NULL, open_gate_later, NULL) == 0);
    http_door_stop(house.door);
    house.door = NULL;
    pthread_join(opener, NULL);
    for (int i = 0; i < 5; i++)
        CHECK(strstr(client_answer(posts[i]), " 200 OK\r\n"));
    house_close(&house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_answered_before_the_sync, make_test_dir, remove_test_dir),
        cmocka_unit_test_setup_teardown(a_failed_sync_is_never_acknowledged, make_test_dir, remove_test_dir),
        cmocka_unit_test_setup_teardown(a_client_may_go_away_while_parked, make_test_dir, remove_test_dir),
        cmocka_unit_test_setup_teardown(stopping_answers_what_is_parked, make_test_dir, remove_test_dir),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
