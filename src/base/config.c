/* config.c - reads settings: flags over environment over pinrail.yaml over defaults.
 *
 * The file is a YAML map; nested maps join their keys with dots, so `lake: {flush.size: 10}` and
 * `lake.flush.size: 10` are the same. A value may hold ${NAME} or ${NAME:-default}. */
#include "base/config.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <yaml.h>

enum { SETTINGS_MOST = 256, VALUE_MOST = 64 * 1024, NAME_MOST = 256, YAML_DEPTH_MOST = 16 };

struct value {
    char *text;   /* owned; NULL: not set */
    char *origin; /* owned */
};

struct config {
    struct value values[SETTINGS_MOST];
};

static int setting_index(const char *name)
{
    for (int i = 0; config_settings[i].name; i++)
        if (strcmp(config_settings[i].name, name) == 0)
            return i;
    return -1;
}

/* ---- checking values ---- */

static enum err parse_size(const char *text, int64_t *out)
{
    static const struct {
        const char *unit;
        int64_t factor;
    } units[] = {
        {"", 1},         {"k", 1000},      {"kb", 1000},      {"kib", 1024},      {"m", 1000000},
        {"mb", 1000000}, {"mib", 1 << 20}, {"g", 1000000000}, {"gb", 1000000000}, {"gib", 1 << 30},
    };
    char *end;
    long long number;

    errno = 0;
    number = strtoll(text, &end, 10);
    if (end == text || errno)
        return ERR_INVALID;
    while (*end == ' ')
        end++;
    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
        if (strcasecmp(end, units[i].unit) == 0)
            return __builtin_mul_overflow((int64_t)number, units[i].factor, out) ? ERR_INVALID : ERR_OK;
    return ERR_INVALID;
}

/* "low..high", either side may be empty. */
static bool is_in_range(int64_t number, const char *range)
{
    const char *dots = strstr(range, "..");
    int64_t bound;

    if (!dots)
        return true;
    if (dots > range && !parse_size(range, &bound) && number < bound)
        return false;
    if (dots > range && parse_size(range, &bound)) {
        char low[32];
        snprintf(low, sizeof(low), "%.*s", (int)(dots - range), range);
        if (!parse_size(low, &bound) && number < bound)
            return false;
    }
    return !dots[2] || parse_size(dots + 2, &bound) || number <= bound;
}

static bool is_choice(const char *text, const char *choices)
{
    size_t length = strlen(text);

    for (const char *at = choices; *at;) {
        const char *bar = strchrnul(at, '|');
        if ((size_t)(bar - at) == length && strncmp(at, text, length) == 0)
            return true;
        at = *bar ? bar + 1 : bar;
    }
    return false;
}

static enum err check_value(const struct setting *setting, const char *text, const char *origin)
{
    int64_t number;
    char host[256];
    int port;

    if (setting->type == SETTING_INTEGER || setting->type == SETTING_SIZE) {
        if (parse_size(text, &number) ||
            (setting->type == SETTING_INTEGER && !isdigit((unsigned char)text[strlen(text) - 1])))
            return err_note(ERR_INVALID, "%s: %s is '%s', which is not %s", origin, setting->name, text,
                            setting->type == SETTING_SIZE ? "a size (as 64MiB)" : "a whole number");
        if (!is_in_range(number, setting->range))
            return err_note(ERR_INVALID, "%s: %s is %s, outside its range %s", origin, setting->name, text,
                            setting->range);
    }
    if (setting->type == SETTING_FLAG && strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
        return err_note(ERR_INVALID, "%s: %s is '%s'; say true or false", origin, setting->name, text);
    if (setting->type == SETTING_CHOICE && !is_choice(text, setting->range))
        return err_note(ERR_INVALID, "%s: %s is '%s'; it can be %s", origin, setting->name, text,
                        setting->range);
    if (setting->type == SETTING_ADDRESS && config_address(text, host, &port))
        return err_note(ERR_INVALID, "%s: %s is '%s'; an address is HOST:PORT, as 127.0.0.1:8082", origin,
                        setting->name, text);
    return ERR_OK;
}

static enum err set_value(struct config *config, int index, const char *text, const char *origin)
{
    struct value *value = &config->values[index];
    enum err err = *text || config_settings[index].type == SETTING_FLAG
                       ? check_value(&config_settings[index], text, origin)
                       : ERR_OK;
    char *new_text, *new_origin;

    if (err)
        return err;
    new_text = strdup(text);
    new_origin = strdup(origin);
    if (!new_text || !new_origin) {
        free(new_text);
        free(new_origin);
        return err_note(ERR_NO_MEMORY, "out of memory for the configuration");
    }
    free(value->text);
    free(value->origin);
    value->text = new_text;
    value->origin = new_origin;
    return ERR_OK;
}

/* ---- the file ---- */

/* Replace ${NAME} and ${NAME:-default} from the environment. */
static enum err expand(const char *text, struct buf *out, const char *origin)
{
    while (*text) {
        const char *open = strstr(text, "${"), *close, *dash;
        char name[NAME_MOST];
        const char *value;
        enum err err;

        if (!open)
            return buf_add_text(out, text);
        close = strchr(open, '}');
        if (!close)
            return err_note(ERR_INVALID, "%s: '${' without its '}'", origin);
        dash = memmem(open, (size_t)(close - open), ":-", 2);
        if ((size_t)snprintf(name, sizeof(name), "%.*s", (int)((dash ? dash : close) - open - 2), open + 2) >=
            sizeof(name))
            return err_note(ERR_INVALID, "%s: the name of a variable is too long", origin);
        err = buf_add(out, text, (size_t)(open - text));
        if (err)
            return err;
        value = getenv(name);
        if (value && *value)
            err = buf_add_text(out, value);
        else if (dash)
            err = buf_add(out, dash + 2, (size_t)(close - dash - 2));
        else
            return err_note(ERR_INVALID, "%s: the environment has no %s; set it, or write ${%s:-default}",
                            origin, name, name);
        if (err)
            return err;
        text = close + 1;
    }
    return ERR_OK;
}

static enum err take_scalar(struct config *config, const char *name, const char *text, const char *origin)
{
    struct buf value = buf_init(VALUE_MOST);
    int index = setting_index(name);
    enum err err;

    if (index < 0)
        return err_note(ERR_INVALID, "%s: there is no setting '%s'; docs/config.md lists them", origin, name);
    err = expand(text, &value, origin);
    if (!err)
        err = set_value(config, index, buf_text(&value), origin);
    buf_release(&value);
    return err;
}

static enum err take_map(struct config *config, yaml_document_t *doc, yaml_node_t *map, const char *prefix,
                         const char *file, int depth)
{
    if (depth > YAML_DEPTH_MOST)
        return err_note(ERR_INVALID, "%s: maps are nested too deeply", file);
    for (yaml_node_pair_t *pair = map->data.mapping.pairs.start; pair < map->data.mapping.pairs.top; pair++) {
        yaml_node_t *key = yaml_document_get_node(doc, pair->key),
                    *value = yaml_document_get_node(doc, pair->value);
        char name[NAME_MOST], origin[PATH_MAX];
        enum err err;

        snprintf(origin, sizeof(origin), "%s:%zu", file, key->start_mark.line + 1);
        if (key->type != YAML_SCALAR_NODE)
            return err_note(ERR_INVALID, "%s: a key must be a name", origin);
        if ((size_t)snprintf(name, sizeof(name), "%s%s%s", prefix, *prefix ? "." : "",
                             (char *)key->data.scalar.value) >= sizeof(name))
            return err_note(ERR_INVALID, "%s: a key is too long", origin);
        if (value->type == YAML_MAPPING_NODE)
            err = take_map(config, doc, value, name, file, depth + 1);
        else if (value->type == YAML_SCALAR_NODE)
            err = take_scalar(config, name, (char *)value->data.scalar.value, origin);
        else
            err =
                err_note(ERR_INVALID, "%s: %s is a list; write its items with commas between", origin, name);
        if (err)
            return err;
    }
    return ERR_OK;
}

static enum err load_file(struct config *config, const char *file, bool must_exist)
{
    FILE *stream = fopen(file, "re");
    yaml_parser_t parser;
    yaml_document_t doc;
    yaml_node_t *root;
    enum err err = ERR_OK;

    if (!stream) {
        if (errno == ENOENT && !must_exist)
            return ERR_OK;
        return err_note(ERR_NOT_FOUND, "cannot read the configuration %s: %s", file, strerror(errno));
    }
    if (!yaml_parser_initialize(&parser)) {
        fclose(stream);
        return err_note(ERR_NO_MEMORY, "out of memory for the configuration");
    }
    yaml_parser_set_input_file(&parser, stream);
    if (!yaml_parser_load(&parser, &doc)) {
        err = err_note(ERR_INVALID, "%s:%zu: not YAML: %s", file, parser.problem_mark.line + 1,
                       parser.problem ? parser.problem : "unreadable");
    } else {
        root = yaml_document_get_root_node(&doc);
        if (root && root->type == YAML_MAPPING_NODE)
            err = take_map(config, &doc, root, "", file, 0);
        else if (root)
            err = err_note(ERR_INVALID, "%s: the file must be a map of settings", file);
        yaml_document_delete(&doc);
    }
    yaml_parser_delete(&parser);
    fclose(stream);
    return err;
}

/* ---- the other places ---- */

static enum err load_environment(struct config *config)
{
    for (int i = 0; config_settings[i].name; i++) {
        char name[NAME_MOST] = "PINRAIL_";
        const char *value;
        size_t at = strlen(name);
        enum err err;

        for (const char *c = config_settings[i].name; *c && at < sizeof(name) - 1; c++)
            name[at++] = *c == '.' ? '_' : (char)toupper((unsigned char)*c);
        name[at] = 0;
        value = getenv(name);
        if (!value)
            continue;
        err = set_value(config, i, value, name);
        if (err)
            return err;
    }
    return ERR_OK;
}

static enum err load_flags(struct config *config, const char *const *flags, size_t flag_count)
{
    enum err err = ERR_OK;

    for (size_t i = 0; !err && i < flag_count; i++) {
        int index = setting_index(flags[2 * i]);
        assert(index >= 0);
        err = set_value(config, index, flags[2 * i + 1], "flag");
    }
    return err;
}

enum err config_load(struct config **out, const char *file, const char *const *flags, size_t flag_count)
{
    struct config *config = calloc(1, sizeof(*config));
    enum err err = ERR_OK;

    if (!config)
        return err_note(ERR_NO_MEMORY, "out of memory for the configuration");
    for (int i = 0; !err && config_settings[i].name; i++) {
        assert(i < SETTINGS_MOST);
        err = set_value(config, i, config_settings[i].fallback, "default");
    }
    if (!err)
        err = load_file(config, file ? file : "pinrail.yaml", file != NULL);
    if (!err)
        err = load_environment(config);
    if (!err)
        err = load_flags(config, flags, flag_count);
    if (err) {
        config_free(config);
        return err;
    }
    *out = config;
    return ERR_OK;
}

enum err config_copy(struct config **out, const struct config *from, const char *const *flags,
                     size_t flag_count)
{
    struct config *config = calloc(1, sizeof(*config));
    enum err err = ERR_OK;

    if (!config)
        return err_note(ERR_NO_MEMORY, "out of memory for the configuration");
    for (int i = 0; !err && config_settings[i].name; i++)
        err = set_value(config, i, from->values[i].text, from->values[i].origin);
    if (!err)
        err = load_flags(config, flags, flag_count);
    if (err) {
        config_free(config);
        return err;
    }
    *out = config;
    return ERR_OK;
}

void config_free(struct config *config)
{
    if (!config)
        return;
    for (int i = 0; i < SETTINGS_MOST; i++) {
        free(config->values[i].text);
        free(config->values[i].origin);
    }
    free(config);
}

/* ---- asking ---- */

static const struct value *find(const struct config *config, const char *name)
{
    int index = setting_index(name);

    assert(index >= 0 && "no such setting in config_table.c");
    return &config->values[index];
}

const char *config_text(const struct config *config, const char *name)
{
    return find(config, name)->text;
}

int64_t config_integer(const struct config *config, const char *name)
{
    int64_t number = 0;

    if (parse_size(find(config, name)->text, &number))
        return 0; /* unset; anything else was checked when it was set */
    return number;
}

bool config_flag(const struct config *config, const char *name)
{
    return strcmp(find(config, name)->text, "true") == 0;
}

const char *config_origin(const struct config *config, const char *name)
{
    return find(config, name)->origin;
}

enum err config_address(const char *text, char host[256], int *port)
{
    const char *colon = strrchr(text, ':');
    size_t length;
    char *end;
    long number;

    if (!colon || !colon[1])
        return err_note(ERR_INVALID, "'%s' is not HOST:PORT", text);
    errno = 0;
    number = strtol(colon + 1, &end, 10);
    length = (size_t)(colon - text);
    if (*end || errno || number < 0 || number > 65535 || length == 0 || length > 255)
        return err_note(ERR_INVALID, "'%s' is not HOST:PORT", text);
    if (text[0] == '[' && text[length - 1] == ']' && length > 2) {
        text++;
        length -= 2;
    }
    memcpy(host, text, length);
    host[length] = 0;
    *port = (int)number;
    return ERR_OK;
}

const char *config_path(const struct config *config, const char *below)
{
    static _Thread_local char paths[4][PATH_MAX];
    static _Thread_local unsigned next;
    char *path = paths[next++ % 4];

    snprintf(path, PATH_MAX, "%s/%s", config_text(config, "data.dir"), below);
    return path;
}

enum err config_door(const struct config *config, const char *door, char out[300])
{
    char below[64], host[256], line[32] = "";
    int port;
    enum err err = config_address(config_text(config, door), host, &port);
    FILE *file;

    if (err)
        return err;
    snprintf(below, sizeof(below), "run/%s.port", door);
    file = fopen(config_path(config, below), "re");
    if (file) {
        if (fgets(line, sizeof(line), file) && atoi(line) > 0)
            port = atoi(line);
        fclose(file);
    }
    if (port == 0)
        return err_note(ERR_UNREACHABLE, "the %s door of %s has no port yet; is `pinrail serve` running?",
                        door, config_text(config, "data.dir"));
    /* A door that listens everywhere is reached here by loopback. */
    if (strcmp(host, "0.0.0.0") == 0)
        snprintf(host, sizeof(host), "127.0.0.1");
    snprintf(out, 300, strchr(host, ':') ? "[%s]:%d" : "%s:%d", host, port);
    return ERR_OK;
}
