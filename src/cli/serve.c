/* serve.c - `pinrail serve`: two processes, each started again when it dies.
 *
 * ingest holds the log and the doors, lakehouse everything behind them; they meet only over the Kafka protocol and
 * the Kinesis API. The supervisor picks ports where 0 was asked for, so that a process that is started again comes
 * back at the same address. When the supervisor itself is killed, the kernel ends its children (PR_SET_PDEATHSIG). */
#include "cli/serve.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/disk.h"
#include "base/trace.h"
#include "cli/cli_commands.h"

const struct cli_option serve_options[] = {
    {NULL, NULL, NULL},
};

enum { CHILDREN = 2, SETTLE_MS = 1000, BACKOFF_MOST_MS = 2000, STOP_MOST_MS = 15000 };

struct child {
    const char *role;
    pid_t pid;             /* 0: not running */
    int64_t started_ms;    /* steady */
    int64_t start_next_ms; /* steady; when to start it again */
    int64_t backoff_ms;
};

struct supervisor {
    char **argv; /* of the children; [2] is the role */
    char doors[3][300];
    struct child children[CHILDREN];
    pthread_t thread;
    pthread_mutex_t lock; /* over children */
    volatile int stopping;
    bool started;
    bool config_wrong; /* a child said EX_CONFIG, EX_NOPERM or EX_USAGE: starting it again would not help */
    int stop_status;   /* of the first child that was asked to stop and did not end well */
};

/* ---- what both processes use ---- */

enum err serve_note(const struct config *config, const char *name, long number)
{
    char below[64], line[32];
    int length = snprintf(line, sizeof(line), "%ld\n", number);

    snprintf(below, sizeof(below), "run/%s", name);
    return disk_write_file(disk_real(), config_path(config, below), bytes_of(line, (size_t)length));
}

enum err serve_check_address(const struct config *config, const char *door)
{
    char host[256];
    int port;
    enum err err = config_address(config_text(config, door), host, &port);

    if (err)
        return err;
    if (strncmp(host, "127.", 4) != 0 && strcmp(host, "localhost") != 0 && strcmp(host, "::1") != 0)
        return err_note(
            ERR_DENIED,
            "the %s door would listen on %s, beyond this machine; this version has no authentication, so it "
            "serves loopback only: use --%s 127.0.0.1:%d",
            door, host, door, port);
    return ERR_OK;
}

/* ---- ports and arguments ---- */

/* Can that port be listened on? 0: the kernel picks one. */
static enum err try_port(const char *host, int wanted, int *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found = NULL;
    struct sockaddr_storage address;
    socklen_t size = sizeof(address);
    char service[16];
    enum err err = ERR_OK;
    int fd = -1, code;

    snprintf(service, sizeof(service), "%d", wanted);
    code = getaddrinfo(host, service, &hints, &found);
    if (code)
        return err_note(ERR_INVALID, "cannot listen on %s: %s", host, gai_strerror(code));
    fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, found->ai_addr, found->ai_addrlen) ||
        getsockname(fd, (struct sockaddr *)&address, &size))
        err = err_note(ERR_IO, "cannot find a free port on %s: %s", host, strerror(errno));
    else
        *port = ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                                    : ((struct sockaddr_in *)&address)->sin_port);
    if (fd >= 0)
        close(fd);
    freeaddrinfo(found);
    return err;
}

/* A free port on `host` that stays free until a process listens on it, and while that process is started again: below
 * the range from which the kernel takes the ports of outgoing connections. */
static enum err pick_port(const char *host, int *port)
{
    enum { LOWEST = 10240, TRIES = 200 };
    FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
    int outgoing = 32768;

    if (file && fscanf(file, "%d", &outgoing) != 1)
        outgoing = 32768;
    if (file)
        fclose(file);
    for (int i = 0; i < TRIES && outgoing > LOWEST; i++) {
        unsigned random;
        if (getrandom(&random, sizeof(random), 0) != sizeof(random))
            break;
        if (!try_port(host, LOWEST + (int)(random % (unsigned)(outgoing - LOWEST)), port))
            return ERR_OK;
    }
    return try_port(host, 0, port);
}

static const char *const doors[] = {"http", "kafka", "page"};

/* The children get the whole effective configuration as flags, so that they need not find the file again. */
static enum err make_arguments(struct supervisor *supervisor, const struct config *config)
{
    size_t count = 3, at = 3;

    for (const struct setting *setting = config_settings; setting->name; setting++)
        count++;
    supervisor->argv = calloc(count + 1, sizeof(char *));
    if (!supervisor->argv)
        return err_note(ERR_NO_MEMORY, "out of memory for the processes' arguments");
    supervisor->argv[0] = "pinrail";
    supervisor->argv[1] = "serve";
    supervisor->argv[2] = ""; /* the role: set by start_child() */
    for (const struct setting *setting = config_settings; setting->name; setting++) {
        const char *value = config_text(config, setting->name);
        char flag[96];
        size_t length = 0;
        if (setting->type == SETTING_SECRET)
            continue; /* reaches the children by the environment or the file, never by arguments that anyone can list */
        for (size_t i = 0; i < sizeof(doors) / sizeof(*doors); i++)
            if (strcmp(setting->name, doors[i]) == 0)
                value = supervisor->doors[i];
        for (const char *c = setting->name; *c; c++)
            flag[length++] = *c == '.' || *c == '_' ? '-' : *c;
        flag[length] = 0;
        if (asprintf(&supervisor->argv[at], "--%s=%s", flag, value) < 0) {
            supervisor->argv[at] = NULL;
            return err_note(ERR_NO_MEMORY, "out of memory for the processes' arguments");
        }
        at++;
    }
    return ERR_OK;
}

/* ---- starting and watching ---- */

static void start_child(struct supervisor *supervisor, struct child *child)
{
    pid_t parent = getpid(), pid;

    supervisor->argv[2] = (char *)child->role;
    pid = fork();

    if (pid == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        signal(SIGINT, SIG_IGN); /* Ctrl-C goes to the group; the supervisor stops us in order */
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent)
            _exit(EX_OSERR);
        execv("/proc/self/exe", supervisor->argv);
        _exit(EX_OSERR);
    }
    child->started_ms = clock_steady_ms();
    if (pid < 0) {
        trace_error("serve", "cannot start %s: %s", child->role, strerror(errno));
        child->start_next_ms = child->started_ms + 1000;
        return;
    }
    child->pid = pid;
    trace_debug("serve", "%s started, pid %d", child->role, (int)pid);
}

/* A child that was asked to stop. SIGTERM may come before it has a handler for it: that is a stop like any other. */
static void child_stopped(struct supervisor *supervisor, const struct child *child, int status)
{
    int exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE;

    if (exit_status == EX_OK || (WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM))
        return;
    if (WIFSIGNALED(status))
        trace_warn("serve", "%s was ended by signal %d (%s) instead of stopping", child->role,
                   WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        trace_warn("serve", "%s ended with status %d instead of stopping in order", child->role, exit_status);
    if (supervisor->stop_status == EX_OK)
        supervisor->stop_status = exit_status;
}

static void child_ended(struct supervisor *supervisor, struct child *child, int status)
{
    int64_t now = clock_steady_ms();

    child->pid = 0;
    if (supervisor->stopping) {
        child_stopped(supervisor, child, status);
        return;
    }
    if (WIFEXITED(status) && (WEXITSTATUS(status) == EX_CONFIG || WEXITSTATUS(status) == EX_NOPERM ||
                              WEXITSTATUS(status) == EX_USAGE)) {
        supervisor->config_wrong = true;
        return;
    }
    /* At once after a life of some seconds; slower and slower when it keeps dying young. */
    if (now - child->started_ms > SETTLE_MS)
        child->backoff_ms = 0;
    child->start_next_ms = now + child->backoff_ms;
    if (WIFSIGNALED(status))
        trace_warn("serve", "%s was ended by signal %d (%s); starting it again%s", child->role,
                   WTERMSIG(status), strsignal(WTERMSIG(status)), child->backoff_ms ? " in a moment" : "");
    else
        trace_warn("serve", "%s ended with status %d; starting it again%s", child->role, WEXITSTATUS(status),
                   child->backoff_ms ? " in a moment" : "");
    child->backoff_ms = child->backoff_ms ? child->backoff_ms * 2 : 50;
    if (child->backoff_ms > BACKOFF_MOST_MS)
        child->backoff_ms = BACKOFF_MOST_MS;
}

static void watch_once(struct supervisor *supervisor)
{
    pthread_mutex_lock(&supervisor->lock);
    for (size_t i = 0; i < CHILDREN; i++) {
        struct child *child = &supervisor->children[i];
        int status;
        if (child->pid > 0 && waitpid(child->pid, &status, WNOHANG) == child->pid)
            child_ended(supervisor, child, status);
        if (child->pid == 0 && !supervisor->stopping && !supervisor->config_wrong &&
            clock_steady_ms() >= child->start_next_ms)
            start_child(supervisor, child);
    }
    pthread_mutex_unlock(&supervisor->lock);
}

static void *watch(void *arg)
{
    struct supervisor *supervisor = arg;

    /* The children are children of this thread: PR_SET_PDEATHSIG looks at the thread that forked. */
    while (!supervisor->stopping) {
        watch_once(supervisor);
        clock_sleep_ms(10);
    }
    for (int i = CHILDREN - 1; i >= 0; i--) { /* against the flow: the lakehouse first */
        struct child *child = &supervisor->children[i];
        int64_t give_up = clock_steady_ms() + STOP_MOST_MS;
        if (child->pid > 0)
            kill(child->pid, SIGTERM);
        while (child->pid > 0) {
            watch_once(supervisor);
            if (child->pid > 0 && clock_steady_ms() > give_up) {
                trace_warn("serve", "%s does not stop; killing it", child->role);
                kill(child->pid, SIGKILL);
                give_up += STOP_MOST_MS;
            }
            clock_sleep_ms(5);
        }
    }
    return NULL;
}

static void supervisor_free(struct supervisor *supervisor)
{
    for (size_t i = 0; supervisor->argv && supervisor->argv[i]; i++)
        if (i >= 3)
            free(supervisor->argv[i]);
    free(supervisor->argv);
    pthread_mutex_destroy(&supervisor->lock);
    free(supervisor);
}

enum err supervisor_start(struct supervisor **out, const struct config *config)
{
    struct supervisor *supervisor = calloc(1, sizeof(*supervisor));
    enum err err = ERR_OK;

    if (!supervisor)
        return err_note(ERR_NO_MEMORY, "out of memory for the supervisor");
    pthread_mutex_init(&supervisor->lock, NULL);
    supervisor->children[0].role = "ingest";
    supervisor->children[1].role = "lakehouse";
    for (size_t i = 0; !err && i < 3; i++) {
        char host[256];
        int port;
        err = config_address(config_text(config, doors[i]), host, &port);
        if (!err)
            err = serve_check_address(config, doors[i]);
        if (!err && port == 0)
            err = pick_port(host, &port);
        if (!err)
            snprintf(supervisor->doors[i], sizeof(supervisor->doors[i]),
                     strchr(host, ':') ? "[%s]:%d" : "%s:%d", host, port);
    }
    if (!err)
        err = disk_make_dirs(disk_real(), config_path(config, "run"));
    if (!err)
        err = make_arguments(supervisor, config);
    if (!err && pthread_create(&supervisor->thread, NULL, watch, supervisor))
        err = err_note(ERR_NO_MEMORY, "cannot start a thread");
    if (err) {
        supervisor_free(supervisor);
        return err;
    }
    *out = supervisor;
    return ERR_OK;
}

static size_t drop(char *at, size_t size, size_t count, void *arg)
{
    return size * count;
}

static bool is_ready(CURL *curl, const char *address)
{
    char url[400];
    long status = 0;

    snprintf(url, sizeof(url), "http://%s/readyz", address);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 2000L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    return curl_easy_perform(curl) == CURLE_OK &&
           curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK && status == 200;
}

enum err supervisor_wait_ready(struct supervisor *supervisor, int timeout_ms)
{
    int64_t give_up = clock_steady_ms() + timeout_ms;
    CURL *curl = curl_easy_init();
    enum err err = ERR_BUSY;

    if (!curl)
        return err_note(ERR_NO_MEMORY, "out of memory");
    while (err && !supervisor->config_wrong && !cli_stop && clock_steady_ms() < give_up) {
        if (is_ready(curl, supervisor->doors[0]) && is_ready(curl, supervisor->doors[2]))
            err = ERR_OK;
        else
            clock_sleep_ms(5);
    }
    curl_easy_cleanup(curl);
    return err ? err_note(ERR_BUSY, "pinrail is not ready after %d ms; see the lines above", timeout_ms)
               : ERR_OK;
}

int supervisor_stop(struct supervisor *supervisor)
{
    int status;

    if (!supervisor)
        return EX_OK;
    supervisor->stopping = 1;
    pthread_join(supervisor->thread, NULL);
    status = supervisor->stop_status;
    supervisor_free(supervisor);
    return status;
}

/* ---- the command ---- */

static int serve_both(struct cli *cli)
{
    struct supervisor *supervisor = NULL;
    enum err err = supervisor_start(&supervisor, cli->config);
    int64_t start = clock_steady_ms();
    int status = EX_OK, stop_status;

    if (err)
        return cli_fail(err);
    err = serve_note(cli->config, "serve.pid", getpid());
    if (!err && !supervisor_wait_ready(supervisor, 30000)) {
        trace_info("serve", "ready in %lld ms: HTTP http://%s  Kafka %s  page http://%s  data %s",
                   (long long)(clock_steady_ms() - start), supervisor->doors[0], supervisor->doors[1],
                   supervisor->doors[2], config_text(cli->config, "data.dir"));
        trace_info("serve", "next: `pinrail emulate --url http://%s --count 1000`, or open the page",
                   supervisor->doors[0]);
    }
    while (!err && !cli_stop && !supervisor->config_wrong)
        clock_sleep_ms(50);
    if (err)
        status = cli_fail(err);
    else if (supervisor->config_wrong)
        status = EX_CONFIG;
    stop_status = supervisor_stop(supervisor);
    if (status == EX_OK)
        status = stop_status;
    unlink(config_path(cli->config, "run/serve.pid"));
    for (size_t i = 0; i < 3; i++) {
        char name[32];
        snprintf(name, sizeof(name), "run/%s.port", doors[i]);
        unlink(config_path(cli->config, name));
    }
    return status;
}

int command_serve(struct cli *cli)
{
    const char *role = cli->operand_count ? cli->operands[0] : "";

    if (cli->operand_count > 1)
        return cli_usage(cli, "serve takes one role at most, not '%s'", cli->operands[1]);
    cli_catch_signals();
    if (strcmp(role, "ingest") == 0)
        return serve_ingest(cli->config);
    if (strcmp(role, "lakehouse") == 0)
        return serve_lakehouse(cli->config);
    if (*role)
        return cli_usage(cli, "there is no role '%s'; say ingest, lakehouse or nothing for both", role);
    return serve_both(cli);
}
