#include "fakenet.h"

// SplitMix64 (Steele, Lea and Flood: Fast splittable pseudorandom number generators).
static uint64_t next(uint64_t *state) {
  uint64_t mixed = *state += 0x9e3779b97f4a7c15;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  return mixed ^ (mixed >> 31);
}

// By its name: what other nodes a scenario has, and in which order, changes nothing.
void seed_node(struct node *node) {
  node->random = network.seed;
  for (const char *letter = node->name; *letter; letter++) {
    node->random ^= (uint64_t)*letter;
    node->random = next(&node->random);
  }
}

double uniform(struct node *node) { return (double)(next(&node->random) >> 11) * 0x1p-53; }

bool chance(struct node *node, double percent) { return percent > 0 && uniform(node) * 100 < percent; }
