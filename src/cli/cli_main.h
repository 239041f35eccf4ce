/* cli_main.h - the command line from the outside. */
#ifndef CLI_CLI_MAIN_H
#define CLI_CLI_MAIN_H

/* Parse, load the configuration, run the command; gives the process's exit status. */
int cli_main(int argc, char **argv);

#endif
