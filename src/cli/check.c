/* check.c - `pinrail check`: is the configuration right, do the far ends answer? */
#include <curl/curl.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/disk.h"
#include "cli/cli_commands.h"
#include "cli/kafka_cli.h"
#include "cli/serve.h"

const struct cli_option check_options[] = {
    {"settings", NULL, "also show every setting that is not at its default, and where it came from"},
    {NULL, NULL, NULL},
};

struct finding {
    const char *what;
    char where[320];
    enum err err;
    char sentence[512];
};

static void find(struct finding *finding, const char *what, const char *where, enum err err)
{
    finding->what = what;
    finding->err = err;
    snprintf(finding->where, sizeof(finding->where), "%s", where);
    snprintf(finding->sentence, sizeof(finding->sentence), "%s", err ? err_sentence() : "");
}

static enum err check_folder(const char *dir)
{
    char probe[4200];
    enum err err = disk_make_dirs(disk_real(), dir);

    snprintf(probe, sizeof(probe), "%s/.check-%ld", dir, (long)getpid());
    if (!err)
        err = disk_write_file(disk_real(), probe, BYTES("pinrail check\n"));
    if (!err)
        err = disk_remove(disk_real(), probe);
    return err;
}

static size_t drop(char *at, size_t size, size_t count, void *arg)
{
    return size * count;
}

static enum err check_http(const char *address)
{
    CURL *curl = curl_easy_init();
    char url[400];
    long status = 0;
    CURLcode code;

    if (!curl)
        return err_note(ERR_NO_MEMORY, "out of memory");
    snprintf(url, sizeof(url), strstr(address, "://") ? "%s/healthz" : "http://%s/healthz", address);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 5000L);
    code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    if (code || status >= 500)
        return err_note(ERR_UNREACHABLE, "no answer (%s); start `pinrail serve`",
                        code ? curl_easy_strerror(code) : "status 5xx");
    return ERR_OK;
}

static enum err check_kafka(const struct config *config)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_t *kafka = NULL;
    enum err err = kafka_cli_open(&kafka, config, RD_KAFKA_PRODUCER, NULL);

    if (!err)
        err = kafka_cli_metadata(kafka, config, NULL, &metadata);
    if (metadata)
        rd_kafka_metadata_destroy(metadata);
    if (kafka)
        rd_kafka_destroy(kafka);
    return err;
}

static void show_settings(const struct config *config)
{
    for (const struct setting *setting = config_settings; setting->name; setting++)
        if (strcmp(config_origin(config, setting->name), "default") != 0)
            printf("%-36s %-28s from %s\n", setting->name,
                   setting->type == SETTING_SECRET ? "(secret)" : config_text(config, setting->name),
                   config_origin(config, setting->name));
}

int command_check(struct cli *cli)
{
    struct finding findings[5];
    char address[300] = "";
    size_t count = 0;
    int status = EX_OK;
    enum err err;

    if (cli->operand_count)
        return cli_usage(cli, "check takes no '%s'", cli->operands[0]);
    err = serve_check_address(cli->config, "http");
    if (!err)
        err = serve_check_address(cli->config, "kafka");
    if (!err)
        err = serve_check_address(cli->config, "page");
    find(&findings[count++], "addresses", "configuration", err);
    find(&findings[count++], "data folder", config_text(cli->config, "data.dir"),
         check_folder(config_text(cli->config, "data.dir")));
    err = config_door(cli->config, "http", address);
    find(&findings[count++], "HTTP door", address, err ? err : check_http(address));
    err = kafka_cli_address(cli->config, address);
    find(&findings[count++], "Kafka", address, err ? err : check_kafka(cli->config));
    err = config_door(cli->config, "page", address);
    find(&findings[count++], "page", address, err ? err : check_http(address));
    for (size_t i = 0; i < count; i++) {
        const struct finding *finding = &findings[i];
        if (cli->json)
            printf("{\"check\":\"%s\",\"where\":\"%s\",\"ok\":%s}\n", finding->what, finding->where,
                   finding->err ? "false" : "true");
        else
            printf("%-12s %-32s %s%s\n", finding->what, finding->where, finding->err ? "FAILED: " : "ok",
                   finding->sentence);
        if (finding->err && (i < 2 || status == EX_OK))
            status = i == 0 ? EX_CONFIG : i == 1 ? err_exit_status(finding->err) : EX_UNAVAILABLE;
    }
    if (cli_value(cli, "settings"))
        show_settings(cli->config);
    return status;
}
