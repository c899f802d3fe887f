/* A plugin of QEMU's user mode that counts the instructions a program executes.
 *
 * Arguments: out=PATH, the file for the counts; mark=N, a file descriptor that no program has open. A program marks
 * a moment by close(N), which fails and does nothing else. At its end the file has a line for each mark, then
 * "threads N" and "total N".
 *
 * QEMU resolves these names when it loads the plugin, so no header of it is needed. They are those of version
 * 1 of its plugin interface, as QEMU 7.2 has it.
 */

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
typedef struct qemu_info_t qemu_info_t;
struct qemu_plugin_tb;
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };

typedef void (*tb_callback)(qemu_plugin_id_t, struct qemu_plugin_tb *);
typedef void (*vcpu_callback)(qemu_plugin_id_t, unsigned int);
typedef void (*data_callback)(qemu_plugin_id_t, void *);
typedef void (*syscall_callback)(qemu_plugin_id_t, unsigned int, int64_t, uint64_t, uint64_t, uint64_t, uint64_t,
                                 uint64_t, uint64_t, uint64_t, uint64_t);

extern void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, tb_callback);
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, enum qemu_plugin_op, void *, uint64_t);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern void qemu_plugin_register_vcpu_init_cb(qemu_plugin_id_t, vcpu_callback);
extern void qemu_plugin_register_vcpu_syscall_cb(qemu_plugin_id_t, syscall_callback);
extern void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, data_callback, void *);

#define EXPORTED __attribute__((visibility("default")))
#define CLOSE_ON_AARCH64 57
#define MOST_MARKS 65536

EXPORTED int qemu_plugin_version = 1;

static uint64_t instructions;
static unsigned int threads;
static uint64_t marks[MOST_MARKS];
static size_t mark_count;
static uint64_t marked_descriptor;
static char path[4096];

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *block)
{
    (void)id;
    /* One addition per block that runs: threads that run at once may lose some, so they are counted too. */
    qemu_plugin_register_vcpu_tb_exec_inline(block, QEMU_PLUGIN_INLINE_ADD_U64, &instructions,
                                             qemu_plugin_tb_n_insns(block));
}

static void on_thread(qemu_plugin_id_t id, unsigned int index)
{
    (void)id;
    (void)index;
    threads++;
}

static void on_syscall(qemu_plugin_id_t id, unsigned int index, int64_t number, uint64_t first, uint64_t second,
                       uint64_t third, uint64_t fourth, uint64_t fifth, uint64_t sixth, uint64_t seventh,
                       uint64_t eighth)
{
    (void)id, (void)index, (void)second, (void)third, (void)fourth, (void)fifth, (void)sixth, (void)seventh;
    (void)eighth;
    if (number == CLOSE_ON_AARCH64 && first == marked_descriptor && mark_count < MOST_MARKS) {
        marks[mark_count++] = instructions;
    }
}

static void on_end(qemu_plugin_id_t id, void *data)
{
    (void)id, (void)data;
    FILE *stream = fopen(path, "w");
    if (stream == NULL) {
        perror(path);
        return;
    }
    for (size_t index = 0; index < mark_count; index++) {
        fprintf(stream, "mark %" PRIu64 "\n", marks[index]);
    }
    fprintf(stream, "threads %u\ntotal %" PRIu64 "\n", threads, instructions);
    fclose(stream);
}

EXPORTED int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int count, char **arguments)
{
    (void)info;
    for (int index = 0; index < count; index++) {
        if (strncmp(arguments[index], "out=", 4) == 0) {
            snprintf(path, sizeof path, "%s", arguments[index] + 4);
        } else if (strncmp(arguments[index], "mark=", 5) == 0) {
            marked_descriptor = strtoull(arguments[index] + 5, NULL, 10);
        } else {
            fprintf(stderr, "count: unknown argument %s\n", arguments[index]);
            return 1;
        }
    }
    if (path[0] == '\0' || marked_descriptor == 0) {
        fprintf(stderr, "count: out=PATH and mark=N are needed\n");
        return 1;
    }
    qemu_plugin_register_vcpu_init_cb(id, on_thread);
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_vcpu_syscall_cb(id, on_syscall);
    qemu_plugin_register_atexit_cb(id, on_end, NULL);
    return 0;
}
