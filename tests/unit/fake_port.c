/* SPDX-License-Identifier: MIT */
/* Answers at once and plays the commands the screen can see the effect of: mode, load, quit, previews. */
#include "fake_port.h"
#include "ops/snapshot_json.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool fake_read(void *ctx, struct snapshot *out)
{
    struct fake_port *fake = ctx;
    if (out->seq == fake->snapshot->seq)
        return false;
    memcpy(out, fake->snapshot, sizeof *out);
    return true;
}

static void play(struct fake_port *fake, const struct command *command)
{
    struct snapshot *snap = fake->snapshot;
    struct detail *detail = &snap->detail;
    switch (command->kind) {
    case CMD_MANUAL:
    case CMD_AUTO:
        snap->manual = command->kind == CMD_MANUAL;
        break;
    case CMD_LOAD_START:
    case CMD_LOAD_STOP:
        snap->load.running = command->kind == CMD_LOAD_START;
        break;
    case CMD_PREVIEW:
    case CMD_SAVE_PREVIEW:
    case CMD_RELOAD_PREVIEW:
    case CMD_DETAIL_INSTANCE:
        detail->command_id = command->id;
        detail->instance = command->instance;
        detail->line_count = 2;
        snprintf(detail->lines[0], sizeof detail->lines[0], "first line for %.100s", command->text);
        snprintf(detail->lines[1], sizeof detail->lines[1], "+second line");
        break;
    case CMD_ROLL:
        snap->rolling = snap->instance_count;
        break;
    case CMD_ALERT_ACK:
        snap->alert[0] = '\0';
        break;
    case CMD_QUIT:
        snap->stopping = true;
        break;
    default:
        break;
    }
}

static uint64_t fake_post(void *ctx, const struct command *command)
{
    struct fake_port *fake = ctx;
    struct snapshot *snap = fake->snapshot;
    if (fake->full)
        return 0;
    if (fake->posted_count == FAKE_POSTED_MAX) {
        memmove(fake->posted, fake->posted + 1, sizeof fake->posted - sizeof *fake->posted);
        fake->posted_count--;
    }
    struct command *posted = &fake->posted[fake->posted_count++];
    *posted = *command;
    posted->id = ++fake->next_id;
    if (!fake->refuse)
        play(fake, posted);
    memmove(snap->answers, snap->answers + 1, sizeof snap->answers - sizeof *snap->answers);
    struct answer *answer = &snap->answers[SNAPSHOT_ANSWERS_MAX - 1];
    *answer = (struct answer){.id = posted->id, .accepted = !fake->refuse};
    snprintf(answer->text, sizeof answer->text, "%s", fake->refuse ? fake->refuse : "as you wish");
    fake_publish(fake);
    return posted->id;
}

void fake_source_path(char *out, size_t size, const char *name)
{
    const char *source = getenv("srcdir");
    snprintf(out, size, "%s/%s", source ? source : ".", name);
}

void fake_port_init(struct fake_port *fake, const char *fixture)
{
    char name[128], path[1024], err[512] = "";
    *fake = (struct fake_port){.port = {fake, fake_read, fake_post},
                               .snapshot = calloc(1, sizeof *fake->snapshot)};
    assert_non_null(fake->snapshot);
    snprintf(name, sizeof name, "tests/unit/fixtures/%s.json", fixture);
    fake_source_path(path, sizeof path, name);
    bool read = snapshot_from_file(path, fake->snapshot, err, sizeof err);
    assert_string_equal(err, "");
    assert_true(read);
}

void fake_port_fini(struct fake_port *fake)
{
    free(fake->snapshot);
    fake->snapshot = NULL;
}

void fake_publish(struct fake_port *fake)
{
    fake->snapshot->seq++;
}

struct command fake_take(struct fake_port *fake)
{
    struct command none = {.kind = CMD_NONE};
    int count = fake->posted_count;
    fake->posted_count = 0;
    return count ? fake->posted[count - 1] : none;
}
