/* SPDX-License-Identifier: MIT */
/* Any bytes as an ini file: read whole, or refused with the place. What was read stays so when one key is
 * changed by ini_edit(), and that key then reads as it was set. */
#include "base/ini.h"
#include "base/ini_edit.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    int line, keys;
    bool changed; /* [changed] key = value was there */
};

static void require(bool ok)
{
    if (!ok)
        abort();
}

static bool each(void *context, const char *section, const char *key, const char *value, int line, char *err,
                 size_t err_size)
{
    struct seen *seen = context;
    (void)err;
    (void)err_size;
    require(line > seen->line);
    require(!strpbrk(section, "\n\r") && !strpbrk(key, "\n\r=") && !strpbrk(value, "\n\r"));
    seen->line = line;
    seen->keys++;
    seen->changed =
        seen->changed || (!strcmp(section, "changed") && !strcmp(key, "key") && !strcmp(value, "value"));
    return true;
}

static void check_edit(const char *text, size_t size, int keys)
{
    static const struct ini_change change = {"changed", "key", "value"};
    char *edited, *diff, err[512];
    require(ini_edit("fuzz.ini", text, size, &change, 1, &edited, &diff) == 0);
    struct seen seen = {0};
    if (ini_read_text("edited.ini", edited, strlen(edited), each, NULL, &seen, err, sizeof err))
        require(seen.changed && (seen.keys == keys || seen.keys == keys + 1));
    else
        require(strstr(err, "at most")); /* the line or the file was full */
    free(edited);
    free(diff);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    char err[512] = "";
    struct seen seen = {0};
    if (ini_read_text("fuzz.ini", text, size, each, NULL, &seen, err, sizeof err))
        check_edit(text, size, seen.keys);
    else
        require(!strncmp(err, "fuzz.ini:", 9) && strlen(err) > 10);
    return 0;
}
