/* Interrupts every thread of the program it is loaded into by a signal whose handler does not ask for system calls to be
 * restarted: what a host with a profiler or a timer of its own does to a library. Hosts do so a thousand times a second; this
 * does it without a pause, so that also the moment between a call and its first look for signals is hit. */
#define _GNU_SOURCE
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static void nothing(int signal) { (void)signal; }

static void *storm(void *unused) {
    (void)unused;
    const long self = syscall(SYS_gettid);
    for (;;) {
        DIR *threads = opendir("/proc/self/task");
        for (struct dirent *entry; threads && (entry = readdir(threads));) {
            const long thread = atol(entry->d_name);
            if (thread > 0 && thread != self) {
                syscall(SYS_tgkill, getpid(), thread, SIGALRM);
            }
        }
        if (threads) {
            closedir(threads);
        }
    }
}

__attribute__((constructor)) static void begin(void) {
    unsetenv("LD_PRELOAD"); /* Programs that are started have weather of their own. */
    struct sigaction action = {.sa_handler = nothing}; /* Without SA_RESTART. */
    sigaction(SIGALRM, &action, NULL);
    pthread_t thread;
    pthread_create(&thread, NULL, storm, NULL);
}
