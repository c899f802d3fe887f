/* Stands in the place of an arm64 program of the emulated phone and starts it under QEMU.
 *
 * A PC's kernel runs no arm64 file, unless binfmt_misc says how, which many machines and containers do not allow. So
 * each program of the phone lies below /arm64, and where it was lies a copy of this one: adbd and the shell start
 * programs by their usual paths. It is built with -DCPU="...", and linked statically: the phone has no x86-64 libraries.
 */

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

static const char *const emulator[] = {"/qemu/ld.so", "--library-path", "/qemu/lib", "/qemu/qemu-aarch64", "-cpu", CPU, "-0"};

#define EMULATOR_WORDS (sizeof emulator / sizeof emulator[0])

static int find(const char *path, char *program)
{
    char resolved[PATH_MAX];
    if (path == NULL || realpath(path, resolved) == NULL) {
        return 0;
    }
    return snprintf(program, PATH_MAX, "/arm64%s", resolved) < PATH_MAX && access(program, X_OK) == 0;
}

int main(int count, char **arguments)
{
    char program[PATH_MAX];
    /* The path it was started by; of a script, that is the script's, and the first argument is the program's. */
    const char *started = (const char *)getauxval(AT_EXECFN);
    if (count < 1 || (!find(started, program) && !find(arguments[0], program))) {
        fprintf(stderr, "launch: there is no arm64 program for %s\n", started == NULL ? "(unknown)" : started);
        return 127;
    }
    char **words = calloc(EMULATOR_WORDS + (size_t)count + 2, sizeof *words);
    if (words == NULL) {
        perror("launch");
        return 126;
    }
    memcpy(words, emulator, sizeof emulator);
    words[EMULATOR_WORDS] = arguments[0];
    words[EMULATOR_WORDS + 1] = program;
    memcpy(words + EMULATOR_WORDS + 2, arguments + 1, ((size_t)count - 1) * sizeof *words);
    execv(words[0], words);
    perror(words[0]);
    return 126;
}
