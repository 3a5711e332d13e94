/* SPDX-License-Identifier: MIT */
/* Finds the helper programs by the path of the running binary, not by PATH or the working directory: what is
 * started must be what was built or installed together. Main thread, once. */
#include "tui/programs.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool find_own_directory(char *out, size_t size)
{
    const char *asked = getenv("ASCALE_PROGRAM_DIR");
    if (asked && asked[0] == '/')
        return snprintf(out, size, "%s", asked) < (int)size;
    ssize_t length = readlink("/proc/self/exe", out, size - 1);
    if (length <= 0)
        return false;
    out[length] = '\0';
    char *slash = strrchr(out, '/');
    if (slash)
        *slash = '\0';
    return slash != NULL;
}

static bool find_one(const char *directory, const char *name, char *out, size_t size)
{
    const char *const places[] = {directory, ASCALE_LIBEXECDIR};
    for (size_t i = 0; i < 2; i++)
        if (snprintf(out, size, "%s/%s", places[i], name) < (int)size && access(out, X_OK) == 0)
            return true;
    /* So that who starts it all the same says where it should be. */
    snprintf(out, size, "%s/%s", directory, name);
    return false;
}

bool programs_find(struct programs *p, const struct config *config, char *err, size_t err_size)
{
    bool spawns = config->scaling.target == CONFIG_TARGET_PROCESS;
    if (!find_own_directory(p->directory, sizeof p->directory)) {
        snprintf(err, err_size,
                 "cannot tell where ascale-tui lies (/proc/self/exe: %s); name its directory in "
                 "ASCALE_PROGRAM_DIR",
                 strerror(errno));
        return false;
    }
    p->view = (struct control_programs){
        .directory = p->directory, .launcher = p->launcher, .balancer = p->balancer, .load = p->load};
    const struct {
        const char *name;
        char *path;
        bool needed;
    } all[] = {
        {"ascale-launch", p->launcher, spawns},
        {"ascale-balance", p->balancer, spawns && config->balancer.enabled},
        {"ascale-load", p->load, false}, /* missed when a load is started, not before */
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (find_one(p->directory, all[i].name, all[i].path, PROGRAMS_PATH_MAX) || !all[i].needed)
            continue;
        snprintf(err, err_size,
                 "cannot find the program %s: neither in %s nor in %s; build or install it beside "
                 "ascale-tui, or name its directory in ASCALE_PROGRAM_DIR",
                 all[i].name, p->directory, ASCALE_LIBEXECDIR);
        return false;
    }
    return true;
}
