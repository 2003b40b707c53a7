// SPDX-License-Identifier: Apache-2.0
#include "pipeline/mask_map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHAINS_MIN 16

static uint32_t mask_hash(const struct packet_key *mask, uint32_t kind)
{
	const uint64_t *words = (const uint64_t *)mask;
	uint64_t sum = kind;

	for (unsigned w = 0; w < KEY_WORDS; w++)
		sum = (sum ^ words[w]) * UINT64_C(0x9e3779b97f4a7c15) + (sum >> 31);
	return (uint32_t)(sum >> 32);
}

int mask_map_init(struct mask_map *map)
{
	map->chains = calloc(CHAINS_MIN, sizeof *map->chains);
	if (!map->chains)
		return -ENOMEM;
	map->n_chains = CHAINS_MIN;
	return 0;
}

void mask_map_end(struct mask_map *map)
{
	for (size_t c = 0; c < map->n_chains; c++) {
		while (map->chains[c]) {
			struct mask_node *node = map->chains[c];

			map->chains[c] = node->next;
			free(node);
		}
	}
	free(map->chains);
	*map = (struct mask_map){0};
}

static struct mask_node **chain_of(const struct mask_map *map, uint32_t hash)
{
	return &map->chains[hash & (map->n_chains - 1)];
}

struct mask_node *mask_map_find(
	const struct mask_map *map, const struct packet_key *mask, uint32_t kind)
{
	uint32_t hash = mask_hash(mask, kind);
	struct mask_node *node = *chain_of(map, hash);

	while (node && (node->hash != hash || node->kind != kind ||
			       memcmp(&node->mask, mask, sizeof *mask) != 0))
		node = node->next;
	return node;
}

static void node_link(struct mask_map *map, struct mask_node *node)
{
	struct mask_node **chain = chain_of(map, node->hash);

	node->next = *chain;
	*chain = node;
}

static void chains_grow(struct mask_map *map)
{
	struct mask_map grown = {.n_chains = map->n_chains * 2, .count = map->count};

	grown.chains = calloc(grown.n_chains, sizeof *grown.chains);
	if (!grown.chains)
		return;
	for (size_t c = 0; c < map->n_chains; c++) {
		while (map->chains[c]) {
			struct mask_node *node = map->chains[c];

			map->chains[c] = node->next;
			node_link(&grown, node);
		}
	}
	free(map->chains);
	*map = grown;
}

void mask_map_insert(struct mask_map *map, struct mask_node *node)
{
	if (map->count >= map->n_chains)
		chains_grow(map);
	node->hash = mask_hash(&node->mask, node->kind);
	node_link(map, node);
	map->count++;
}

void mask_map_remove(struct mask_map *map, struct mask_node *node)
{
	struct mask_node **slot = chain_of(map, node->hash);

	while (*slot != node)
		slot = &(*slot)->next;
	*slot = node->next;
	map->count--;
}

struct mask_node *mask_map_next(const struct mask_map *map, const struct mask_node *node)
{
	size_t chain = 0;

	if (node && node->next)
		return node->next;
	if (node)
		chain = (node->hash & (map->n_chains - 1)) + 1;
	while (chain < map->n_chains && !map->chains[chain])
		chain++;
	return chain < map->n_chains ? map->chains[chain] : NULL;
}
