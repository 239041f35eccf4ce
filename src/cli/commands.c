/* commands.c - every command: name, what runs it, a line of help, operands, options, examples. */
#include "cli/cli_commands.h"

const struct command commands[] = {
    {"emulate", command_emulate, "post rows as the course's scripts do", "", emulate_options,
     "  pinrail emulate --count 1000\n  pinrail emulate --mode streaming --rate 5\n"
     "  pinrail emulate --source db_creds.yaml --order course --count 500\n"
     "  pinrail emulate --source file:samples --url https://HOST/test --user 12ab34cd56ef\n"
     "  pinrail emulate --dry-run --count 2"},
    {"topic", command_topic, "create, list, describe or delete topics", "create|list|describe|delete [TOPIC]",
     topic_options,
     "  pinrail topic list\n  pinrail topic create clicks --partitions 3\n  pinrail topic describe demo.pin"},
    {NULL, NULL, NULL, NULL, NULL, NULL},
};
