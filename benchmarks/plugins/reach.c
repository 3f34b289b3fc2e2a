/* reach connect|send|refused|stream PORT COUNT: microseconds a call, or MB a second; PORT listens on 127.0.0.1 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  const char *what = argv[1];
  int count = atoi(argv[3]);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
  to.sin_addr.s_addr = inet_addr(strcmp(what, "refused") ? "127.0.0.1" : "127.0.0.9");
  double began = now();
  if (!strcmp(what, "send")) {
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    for (int i = 0; i < count; i++) sendto(s, "x", 1, 0, (struct sockaddr *)&to, sizeof to);
  } else if (!strcmp(what, "stream")) {
    static char block[1 << 16];
    int s = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(s, (struct sockaddr *)&to, sizeof to)) return 1;
    began = now();
    for (int i = 0; i < count; i++)
      for (size_t sent = 0; sent < sizeof block;) sent += write(s, block + sent, sizeof block - sent);
    printf("%f\n", count * (sizeof block / 1e6) / (now() - began));
    return 0;
  } else {
    for (int i = 0; i < count; i++) {
      int s = socket(AF_INET, SOCK_STREAM, 0);
      connect(s, (struct sockaddr *)&to, sizeof to);
      close(s);
    }
  }
  printf("%f\n", (now() - began) / count * 1e6);
  return 0;
}
