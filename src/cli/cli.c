/* cli.c - arguments to a command: settings go to the configuration, the command's own options to the command. */
#include "cli/cli.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/trace.h"
#include "cli/cli_main.h"

struct cli_value {
    const char *name, *value;
};

static const struct cli_option common_options[] = {
    {"config", "FILE", "read this configuration in place of ./pinrail.yaml"},
    {"json", NULL, "answers as JSON, one object a line"},
    {"quiet", NULL, "no progress and no remarks on stderr"},
    {"verbose", NULL, "trace in detail on stderr"},
    {"help", NULL, "this text"},
    {NULL, NULL, NULL},
};

volatile int cli_stop;

static void on_signal(int signal_number)
{
    (void)signal_number;
    cli_stop = 1;
}

void cli_catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

bool cli_is_terminal(FILE *stream)
{
    return isatty(fileno(stream)) == 1;
}

bool cli_has_colour(FILE *stream)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

    return cli_is_terminal(stream) && !(no && *no) && !(term && strcmp(term, "dumb") == 0);
}

int cli_width(FILE *stream)
{
    struct winsize size;

    if (cli_is_terminal(stream) && ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 80;
}

int cli_fail(enum err err)
{
    fprintf(stderr, "pinrail: error: %s\n", *err_sentence() ? err_sentence() : err_name(err));
    return err_exit_status(err);
}

int cli_usage(const struct cli *cli, const char *format, ...)
{
    va_list args;

    fputs("pinrail: error: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\nSee `pinrail %s --help`.\n", cli->command ? cli->command->name : "");
    return EX_USAGE;
}

/* ---- help ---- */

static void print_options(const struct cli_option *options)
{
    for (; options && options->name; options++) {
        char left[64];
        snprintf(left, sizeof(left), "--%s%s%s", options->name, options->value ? " " : "",
                 options->value ? options->value : "");
        printf("  %-28s %s\n", left, options->help);
    }
}

static void flag_of_setting(const struct setting *setting, char flag[96])
{
    size_t at = 0;

    for (const char *c = setting->name; *c && at < 95; c++)
        flag[at++] = *c == '.' || *c == '_' ? '-' : *c;
    flag[at] = 0;
}

static void print_settings(void)
{
    printf("\nSettings (also keys of pinrail.yaml, and PINRAIL_... in the environment):\n");
    for (const struct setting *setting = config_settings; setting->name; setting++) {
        char flag[96], left[128];
        flag_of_setting(setting, flag);
        snprintf(left, sizeof(left), "--%s", flag);
        printf("  %-36s %s%s%s%s\n", left, setting->help, *setting->fallback ? " [" : "", setting->fallback,
               *setting->fallback ? "]" : "");
    }
}

static int print_command_help(const struct command *command)
{
    printf("pinrail %s%s%s - %s\n\nUsage: pinrail %s [options]%s%s\n\nOptions:\n", command->name, "", "",
           command->summary, command->name, *command->operands ? " " : "", command->operands);
    print_options(command->options);
    print_options(common_options);
    if (command->examples)
        printf("\nExamples:\n%s\n", command->examples);
    print_settings();
    return EX_OK;
}

/* docs/config.md is this text: `make check` compares. */
static int print_config_table(void)
{
    printf("# Settings\n\nMade by `pinrail help --config-table` from src/base/config_table.c. Each is a key "
           "of `pinrail.yaml` (nested "
           "maps or dotted names), a flag (dots\nand underscores become dashes) and an environment variable. "
           "A flag beats the "
           "environment, that the file, that the default. In the file,\n`${NAME}` and `${NAME:-default}` are "
           "taken from the "
           "environment.\n\n| key | flag | environment | default | range | what it is "
           "|\n|---|---|---|---|---|---|\n");
    for (const struct setting *setting = config_settings; setting->name; setting++) {
        char flag[96], variable[96];
        size_t at = 0;
        flag_of_setting(setting, flag);
        for (const char *c = setting->name; *c && at < sizeof(variable) - 1; c++)
            variable[at++] = *c == '.' ? '_' : (char)toupper((unsigned char)*c);
        variable[at] = 0;
        printf("| `%s` | `--%s` | `PINRAIL_%s` | ", setting->name, flag, variable);
        printf(*setting->fallback ? "`%s` | " : "%s | ", setting->fallback);
        for (const char *c = setting->range; *c; c++)
            printf(*c == '|' ? " or " : "%c", *c);
        printf(" | ");
        for (const char *c = setting->help; *c; c++)
            printf(*c == '\\' ? "\\\\" : "%c", *c);
        printf(" |\n");
    }
    return EX_OK;
}

static int print_help(void)
{
    printf("pinrail %s - posts in over HTTP, Kafka or Kinesis; clean Delta tables and answers out\n\n"
           "Usage: pinrail COMMAND [options]\n\nCommands:\n",
           PINRAIL_VERSION);
    for (const struct command *command = commands; command->name; command++)
        printf("  %-12s %s\n", command->name, command->summary);
    printf("\n`pinrail COMMAND --help` shows its options with examples. Start with `pinrail demo`.\n");
    return EX_OK;
}

/* ---- parsing ---- */

static const struct cli_option *find_option(const struct cli_option *options, const char *name, size_t length)
{
    for (; options && options->name; options++)
        if (strlen(options->name) == length && strncmp(options->name, name, length) == 0)
            return options;
    return NULL;
}

static const struct setting *find_setting(const char *name, size_t length)
{
    for (const struct setting *setting = config_settings; setting->name; setting++) {
        char flag[96];
        flag_of_setting(setting, flag);
        if (strlen(flag) == length && strncmp(flag, name, length) == 0)
            return setting;
    }
    return NULL;
}

struct parse {
    struct cli_value *values; /* the command's options; a NULL name ends them */
    const char **flags;       /* settings: name, value, name, value */
    size_t value_count, flag_count;
};

/* One "--name", "--name=value" or "--name value"; *at is moved past what was used. */
static int parse_option(struct cli *cli, struct parse *parse, char **argv, int argc, int *at)
{
    const char *name = argv[*at] + 2, *equals = strchr(name, '='), *value = equals ? equals + 1 : NULL;
    size_t length = equals ? (size_t)(equals - name) : strlen(name);
    const struct cli_option *option = find_option(cli->command->options, name, length);
    const struct setting *setting;
    bool takes_value;

    if (!option)
        option = find_option(common_options, name, length);
    setting = option ? NULL : find_setting(name, length);
    if (!option && !setting)
        return cli_usage(cli, "there is no option --%.*s", (int)length, name);
    takes_value = setting || option->value;
    if (takes_value && !value) {
        bool is_flag = setting && setting->type == SETTING_FLAG;
        if (*at + 1 < argc && !(is_flag && strncmp(argv[*at + 1], "--", 2) == 0))
            value = argv[++*at];
        else if (is_flag)
            value = "true";
        else
            return cli_usage(cli, "--%.*s wants a value", (int)length, name);
    }
    if (!takes_value && value)
        return cli_usage(cli, "--%.*s takes no value", (int)length, name);
    if (setting) {
        parse->flags[2 * parse->flag_count] = setting->name;
        parse->flags[2 * parse->flag_count++ + 1] = value;
    } else {
        parse->values[parse->value_count].name = option->name;
        parse->values[parse->value_count++].value = value ? value : "";
    }
    return EX_OK;
}

const char *cli_value(const struct cli *cli, const char *name)
{
    const char *found = NULL;

    for (const struct cli_value *value = cli->values; value->name; value++)
        if (strcmp(value->name, name) == 0)
            found = value->value; /* the last one given wins */
    return found;
}

int64_t cli_integer(const struct cli *cli, const char *name, int64_t fallback)
{
    const char *text = cli_value(cli, name);
    char *end;
    long long number;

    if (!text)
        return fallback;
    errno = 0;
    number = strtoll(text, &end, 10);
    if (end == text || *end || errno)
        exit(cli_usage(cli, "--%s wants a whole number, not '%s'", name, text));
    return number;
}

static void set_trace(const struct cli *cli)
{
    static const char *const levels[] = {
        [TRACE_ERROR] = "error", [TRACE_WARN] = "warn", [TRACE_INFO] = "info", [TRACE_DEBUG] = "debug"};

    for (int level = TRACE_ERROR; level <= TRACE_DEBUG; level++)
        if (strcmp(config_text(cli->config, "trace"), levels[level]) == 0)
            trace_set_level((enum trace_level)level);
    if (cli_value(cli, "verbose"))
        trace_set_level(TRACE_DEBUG);
}

static int run_command(struct cli *cli, int argc, char **argv)
{
    struct parse parse = {calloc((size_t)argc + 1, sizeof(struct cli_value)),
                          calloc(2 * (size_t)argc + 2, sizeof(char *)), 0, 0};
    bool options_end = false;
    int status = EX_OK;
    enum err err;

    cli->operands = calloc((size_t)argc + 1, sizeof(char *));
    cli->values = parse.values;
    if (!parse.values || !parse.flags || !cli->operands) {
        status = cli_fail(err_note(ERR_NO_MEMORY, "out of memory for the arguments"));
        goto out;
    }
    for (int at = 0; at < argc && !status; at++) {
        if (options_end || strncmp(argv[at], "--", 2) != 0)
            cli->operands[cli->operand_count++] = argv[at];
        else if (!argv[at][2])
            options_end = true;
        else
            status = parse_option(cli, &parse, argv, argc, &at);
    }
    if (status)
        goto out;
    if (cli_value(cli, "help")) {
        status = print_command_help(cli->command);
        goto out;
    }
    cli->json = cli_value(cli, "json") != NULL;
    cli->quiet = cli_value(cli, "quiet") != NULL;
    err = config_load(&cli->config, cli_value(cli, "config"), parse.flags, parse.flag_count);
    if (err) {
        cli_fail(err);
        status = EX_CONFIG;
        goto out;
    }
    set_trace(cli);
    status = cli->command->run(cli);
out:
    config_free(cli->config);
    free(parse.values);
    free(parse.flags);
    free(cli->operands);
    return status;
}

int cli_main(int argc, char **argv)
{
    struct cli cli = {0};
    const char *name = argc > 1 ? argv[1] : "--help";

    if (strcmp(name, "--version") == 0) {
        printf("pinrail %s\n", PINRAIL_VERSION);
        return EX_OK;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || (strcmp(name, "help") == 0 && argc == 2)) {
        print_help();
        return argc > 1 ? EX_OK : EX_USAGE;
    }
    if (strcmp(name, "help") == 0 && strcmp(argv[2], "--config-table") == 0)
        return print_config_table();
    if (strcmp(name, "help") == 0)
        name = argv[2];
    for (const struct command *command = commands; command->name; command++) {
        if (strcmp(command->name, name) != 0)
            continue;
        if (strcmp(argv[1], "help") == 0)
            return print_command_help(command);
        cli.command = command;
        return run_command(&cli, argc - 2, argv + 2);
    }
    fprintf(stderr, "pinrail: error: there is no command '%s'; `pinrail --help` lists them\n", name);
    return EX_USAGE;
}
