/* SPDX-License-Identifier: MIT */
/* "--max-in-flight 10" sets balancer.max_in_flight: the option table reads, checks and describes. */
#include "balance/cli.h"
#include "base/args.h"
#include "base/file.h"
#include "config.h"
#include "core/options.h"
#include "http/conn.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct own_option {
    const char *name, *operand, *help;
    bool (*take)(struct cli *cli, const char *value, char *err, size_t err_size);
};

static bool take_number(const char *value, long most, long *out)
{
    char *end;
    *out = strtol(value, &end, 10);
    return value[0] >= '0' && value[0] <= '9' && *end == '\0' && *out <= most;
}

static bool take_port(struct cli *cli, const char *value, char *err, size_t err_size)
{
    long port;
    char address[32];
    if (!take_number(value, 65535, &port)) {
        snprintf(err, err_size, "--port '%s' is not 0..65535", value);
        return false;
    }
    snprintf(address, sizeof address, "127.0.0.1:%ld", port);
    return config_set(&cli->config, "balancer", "listen", address, err, err_size);
}

static bool take_backend(struct cli *cli, const char *value, char *err, size_t err_size)
{
    struct sockaddr_storage address;
    socklen_t len;
    if (!conn_parse_address(value, &address, &len)) {
        snprintf(err, err_size, "--backend '%s' is no address such as 127.0.0.1:5000", value);
        return false;
    }
    if (cli->backend_count == BACKENDS_MAX) {
        snprintf(err, err_size, "more than %d backends", BACKENDS_MAX);
        return false;
    }
    cli->backends[cli->backend_count++] = value;
    return true;
}

static bool take_listen_fd(struct cli *cli, const char *value, char *err, size_t err_size)
{
    long fd;
    if (!take_number(value, 1 << 20, &fd)) {
        snprintf(err, err_size, "--listen-fd '%s' is no descriptor", value);
        return false;
    }
    cli->listen_fd = (int)fd;
    return true;
}

static bool take_control(struct cli *cli, const char *value, char *err, size_t err_size)
{
    (void)err, (void)err_size;
    cli->control = value;
    return true;
}

static const struct own_option own_options[] = {
    {"port", "PORT", "listen on 127.0.0.1:PORT; 0 means any free port", take_port},
    {"backend", "ADDRESS", "send requests there; may be given many times", take_backend},
    {"listen-fd", "NUMBER", "serve this inherited listening socket instead of binding one", take_listen_fd},
    {"control", "PATH", "listen for a controller on this Unix socket", take_control},
};
#define OWN_COUNT (sizeof own_options / sizeof own_options[0])

static void print_help(void)
{
    printf("Usage: ascale-balance [OPTION]...\n"
           "Balances HTTP/1.1 requests among backends.\n\n");
    for (size_t i = 0; i < OWN_COUNT; i++)
        printf("  --%s %s\n      %s\n", own_options[i].name, own_options[i].operand, own_options[i].help);
    for (size_t i = 0; i < options_count; i++) {
        const struct option *o = &options[i];
        char range[256];
        if (strcmp(o->section, "balancer") != 0 || strcmp(o->key, "enabled") == 0)
            continue;
        printf("  --");
        for (const char *c = o->key; *c != '\0'; c++)
            putchar(*c == '_' ? '-' : *c);
        option_range_text(o, range, sizeof range);
        printf(" VALUE\n      %s (%s; default %s)\n", o->help, range,
               o->preset[0] != '\0' ? o->preset : "none");
    }
    printf("  -h, --help\n  -V, --version\n\n"
           "Without --control, --hold-when-empty is no unless it is given.\n"
           "It speaks neither TLS nor HTTP/2 to clients: put Caddy, nginx or hitch before it for that.\n");
}

static const struct own_option *find_own(const char *name, size_t len)
{
    for (size_t i = 0; i < OWN_COUNT; i++)
        if (strlen(own_options[i].name) == len && memcmp(own_options[i].name, name, len) == 0)
            return &own_options[i];
    return NULL;
}

static bool take(struct cli *cli, const char *name, size_t len, const char *value, char *err, size_t err_size)
{
    const struct own_option *own = find_own(name, len);
    char key[64];
    if (own)
        return own->take(cli, value, err, err_size);
    snprintf(key, sizeof key, "%.*s", (int)(len < sizeof key ? len : sizeof key - 1), name);
    for (char *c = key; *c != '\0'; c++)
        *c = *c == '-' ? '_' : *c;
    cli->hold_said |= strcmp(key, "hold_when_empty") == 0;
    return config_set(&cli->config, "balancer", key, value, err, err_size);
}

/* One argument, and the next when the value is there; false: err says why. */
static bool take_argument(struct cli *cli, int argc, char **argv, int *i, char *err, size_t err_size)
{
    const char *name = argv[*i] + 2, *equals = strchr(name, '=');
    if (strncmp(argv[*i], "--", 2) != 0 || name[0] == '\0') {
        snprintf(err, err_size, "'%s' is no option; see --help", argv[*i]);
        return false;
    }
    if (equals)
        return take(cli, name, (size_t)(equals - name), equals + 1, err, err_size);
    if (*i + 1 >= argc) {
        snprintf(err, err_size, "'%s' lacks a value, or is no option; see --help", argv[*i]);
        return false;
    }
    return take(cli, name, strlen(name), argv[++*i], err, err_size);
}

/* What no table can check. */
static bool fits_together(const struct cli *cli, char *err, size_t err_size)
{
    const struct config_balancer *o = &cli->config.balancer;
    struct sockaddr_storage address;
    struct settings settings;
    socklen_t len;
    if (cli->listen_fd < 0 && !conn_parse_address(o->listen, &address, &len)) {
        snprintf(err, err_size, "--listen '%s' is no numeric address such as 127.0.0.1:8000", o->listen);
        return false;
    }
    if (cli->backend_count == 0 && !cli->control) {
        snprintf(err, err_size, "no --backend, and no --control to be told of any; see --help");
        return false;
    }
    return settings_from(&settings, o, err, err_size);
}

int cli_read(struct cli *cli, int argc, char **argv)
{
    char err[CONFIG_ERROR_SIZE] = "";
    config_init(&cli->config);
    cli->listen_fd = -1;
    for (int i = 1; i < argc; i++) {
        if (args_ask_help(argv[i])) {
            print_help();
            return file_end_output("ascale-balance", "its help") ? 0 : 1;
        }
        if (args_ask_version(argv[i])) {
            printf("ascale-balance " VERSION "\n");
            return file_end_output("ascale-balance", "its version") ? 0 : 1;
        }
        if (!take_argument(cli, argc, argv, &i, err, sizeof err)) {
            fprintf(stderr, "ascale-balance: %s\n", err);
            return 2;
        }
    }
    /* Without a controller nobody starts the instance that a request would wait for. */
    if (!cli->control && !cli->hold_said)
        cli->config.balancer.hold_when_empty = false;
    if (!fits_together(cli, err, sizeof err)) {
        fprintf(stderr, "ascale-balance: %s\n", err);
        return 2;
    }
    return -1;
}
