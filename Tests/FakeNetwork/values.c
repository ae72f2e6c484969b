#include "fakenet.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool complain(char *message, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, MESSAGE_SIZE, format, arguments);
  va_end(arguments);
  return false;
}

char *trim(char *text) {
  while (isspace((unsigned char)*text)) text++;
  size_t length = strlen(text);
  while (length > 0 && isspace((unsigned char)text[length - 1])) text[--length] = 0;
  return text;
}

bool set_number(double *number, const char *value, double most, char *message) {
  char *end;
  double parsed = strtod(value, &end);
  if (end == value || *end || !isfinite(parsed) || parsed < 0 || parsed > most)
    return complain(message, "not a number from 0 to %g: %s", most, value);
  *number = parsed;
  return true;
}

bool set_unsigned(unsigned *number, const char *value, unsigned least, unsigned most, char *message) {
  char *end;
  long parsed = strtol(value, &end, 10);
  if (end == value || *end || parsed < (long)least || parsed > (long)most)
    return complain(message, "not a whole number from %u to %u: %s", least, most, value);
  *number = (unsigned)parsed;
  return true;
}

int choice(const char *const *words, int count, const char *value, char *message) {
  for (int i = 0; i < count; i++)
    if (strcmp(words[i], value) == 0) return i;
  size_t length = (size_t)snprintf(message, MESSAGE_SIZE, "%.60s is none of", value);
  for (int i = 0; i < count && length < MESSAGE_SIZE; i++)
    length += (size_t)snprintf(message + length, MESSAGE_SIZE - length, " %s", words[i]);
  return -1;
}

bool set_switch(bool *flag, const char *value, char *message) {
  static const char *const words[] = {"no", "off", "yes", "on"};
  int word = choice(words, 4, value, message);
  if (word >= 0) *flag = word >= 2;
  return word >= 0;
}
