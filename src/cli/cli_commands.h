/* cli_commands.h - every command, each in a file of its own. */
#ifndef CLI_CLI_COMMANDS_H
#define CLI_CLI_COMMANDS_H

#include "cli/cli.h"

int command_demo(struct cli *cli);
int command_serve(struct cli *cli);
int command_emulate(struct cli *cli);
int command_topic(struct cli *cli);
int command_stream(struct cli *cli);
int command_tail(struct cli *cli);
int command_batch(struct cli *cli);
int command_sql(struct cli *cli);
int command_insight(struct cli *cli);
int command_audit(struct cli *cli);
int command_table(struct cli *cli);
int command_quarantine(struct cli *cli);
int command_check(struct cli *cli);

extern const struct cli_option demo_options[], serve_options[], emulate_options[], topic_options[],
    stream_options[], tail_options[], batch_options[], sql_options[], insight_options[], audit_options[],
    table_options[], quarantine_options[], check_options[];

#endif
