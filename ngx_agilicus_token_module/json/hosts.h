
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_JSON_HOSTS_H_INCLUDED_
#define _NGX_AGT_JSON_HOSTS_H_INCLUDED_


#include "json/read.h"
#include "rules/ruleset.h"


/*
 * Packs "hosts" of a Token (API: array of HostPermissions), which may be NULL.
 * A rule only allows, so anything that is not fully understood is left out: a
 * rule with a member that is not documented, has another type, or cannot be
 * evaluated; and all rules of a host with such a member.
 */
void ngx_agt_json_hosts(json_t *hosts, ngx_agt_ruleset_builder_t *b);


#endif /* _NGX_AGT_JSON_HOSTS_H_INCLUDED_ */
