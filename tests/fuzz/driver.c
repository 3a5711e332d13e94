/* SPDX-License-Identifier: MIT */
/* Runs a fuzzer without a fuzzing engine, so that `make check` exercises it with any compiler: every seed,
 * then mutations of them by a seeded generator, the same ones each time. libFuzzer takes its place in
 * .ci/run.
 *
 * fuzz_NAME [SEED-DIRECTORY [ROUNDS [FIRST]]]; a crash says how to run the round that crashed. One thread. */
#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SEEDS_MAX      512
#define INPUT_MAX      (64 * 1024)
#define ROUNDS_DEFAULT 10000
#define ROUND_SECONDS  10

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

struct input {
    uint8_t *data;
    size_t size;
};

static struct input seeds[SEEDS_MAX];
static size_t seeds_count;
static const char *program, *directory;
static volatile size_t current_round;

static uint64_t next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static size_t below(uint64_t *state, size_t limit)
{
    return limit ? (size_t)(next(state) % limit) : 0;
}

static bool read_seed(const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    struct input *seed = &seeds[seeds_count];
    seed->data = malloc(INPUT_MAX);
    if (seed->data) {
        seed->size = fread(seed->data, 1, INPUT_MAX, file);
        seeds_count++;
    }
    fclose(file);
    return seed->data != NULL;
}

/* The seeds of fuzz_NAME lie in seeds/NAME. */
static const char *default_directory(void)
{
    static char path[1024];
    const char *slash = strrchr(program, '/');
    const char *name = slash ? slash + 1 : program;
    if (!strncmp(name, "fuzz_", 5))
        name += 5;
    snprintf(path, sizeof path, FUZZ_SEEDS "/%s", name);
    return path;
}

static int named(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* In the order of their names, so that a round is the same on every machine. */
static bool read_seeds(void)
{
    struct dirent **entries;
    int count = scandir(directory, &entries, named, alphasort);
    if (count < 0)
        return false;
    bool ok = true;
    for (int i = 0; i < count; i++) {
        if (seeds_count < SEEDS_MAX)
            ok = read_seed(entries[i]->d_name) && ok;
        free(entries[i]);
    }
    free(entries);
    return ok && seeds_count > 0;
}

static void splice(struct input *in, uint64_t *state)
{
    const struct input *other = &seeds[below(state, seeds_count)];
    size_t at = below(state, in->size + 1), from = below(state, other->size);
    size_t length = below(state, other->size - from + 1);
    if (length > INPUT_MAX - at)
        length = INPUT_MAX - at;
    if (length)
        memcpy(in->data + at, other->data + from, length);
    if (at + length > in->size)
        in->size = at + length;
}

static void insert_or_remove(struct input *in, uint64_t *state, bool insert)
{
    size_t at = below(state, in->size + 1), length = 1 + below(state, 8);
    if (insert && in->size + length <= INPUT_MAX) {
        memmove(in->data + at + length, in->data + at, in->size - at);
        memset(in->data + at, (int)below(state, 256), length);
        in->size += length;
    } else if (!insert && at + length <= in->size) {
        memmove(in->data + at, in->data + at + length, in->size - at - length);
        in->size -= length;
    }
}

static void mutate(struct input *in, uint64_t *state)
{
    static const uint8_t telling[] = "\0\r\n\t :;,=%-+0919\x7f\x80\xff\x1b\"\\{}[]";
    for (size_t changes = 1 + below(state, 6); changes; changes--) {
        switch (below(state, 6)) {
        case 0:
            splice(in, state);
            break;
        case 1:
        case 2:
            insert_or_remove(in, state, below(state, 2));
            break;
        case 3:
            in->size = below(state, in->size + 1);
            break;
        case 4:
            if (in->size)
                in->data[below(state, in->size)] ^= (uint8_t)(1u << below(state, 8));
            break;
        default:
            if (in->size)
                in->data[below(state, in->size)] = telling[below(state, sizeof telling)];
        }
    }
}

/* The input lies in a block of just its size, so that a sanitizer sees every step beyond it. */
static void run(const struct input *in)
{
    uint8_t *exact = malloc(in->size ? in->size : 1);
    if (!exact)
        abort();
    memcpy(exact, in->data, in->size);
    LLVMFuzzerTestOneInput(exact, in->size);
    free(exact);
}

/* Says which round it was when the program dies; the sanitizers call it too, where they are linked. */
static void report(void)
{
    dprintf(STDERR_FILENO, "\nagain: %s %s 1 %zu\n", program, directory, current_round);
}

static void died(int number)
{
    report();
    signal(number, SIG_DFL);
    raise(number);
}

static void watch_for_death(void)
{
    static const int fatal[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGALRM};
    for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++)
        signal(fatal[i], died);
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(report);
}

static void fuzz(size_t first, size_t rounds)
{
    struct input in = {.data = malloc(INPUT_MAX)};
    if (!in.data)
        abort();
    for (size_t round = first; round < first + rounds; round++) {
        uint64_t state = 0x9e3779b97f4a7c15u * round;
        const struct input *seed = &seeds[below(&state, seeds_count)];
        memcpy(in.data, seed->data, seed->size);
        in.size = seed->size;
        mutate(&in, &state);
        current_round = round;
        alarm(ROUND_SECONDS);
        run(&in);
    }
    free(in.data);
}

int main(int argc, char **argv)
{
    program = argv[0];
    directory = argc > 1 ? argv[1] : default_directory();
    size_t rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : ROUNDS_DEFAULT;
    size_t first = argc > 3 ? strtoul(argv[3], NULL, 10) : 1;
    if (!read_seeds()) {
        fprintf(stderr, "%s: cannot read seeds from %s; nothing was fuzzed\n", program, directory);
        return 1;
    }
    watch_for_death();
    for (size_t i = 0; i < seeds_count; i++)
        run(&seeds[i]);
    fuzz(first, rounds);
    printf("%zu seeds, %zu rounds: nothing found\n", seeds_count, rounds);
    for (size_t i = 0; i < seeds_count; i++)
        free(seeds[i].data);
    return 0;
}
