
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "zone/feed_state.h"
#include "zone/numbers.h"


static uint64_t ngx_agt_feed_state_start(uint64_t start, uint64_t wall,
    uint64_t now);


uint64_t
ngx_agt_feed_state_healthy(const ngx_agt_feed_state_t *feed)
{
    return ngx_max(3 * feed->interval, 2 * feed->duration);
}


ngx_uint_t
ngx_agt_feed_state_polls(ngx_agt_denials_t *denials, uint64_t now)
{
    return !denials->sh->fleet.on || now < denials->sh->fleet.polls;
}


ngx_uint_t
ngx_agt_feed_state_alone(ngx_agt_denials_t *denials, uint64_t ms, uint64_t now)
{
    ngx_agt_fleet_state_t  *fleet;

    fleet = &denials->sh->fleet;

    return !fleet->on || denials->sh->feed.failing
           || (now < fleet->polls && now > fleet->polls_since + ms);
}


void
ngx_agt_feed_state_turn_locked(ngx_agt_denials_t *denials, uint64_t until,
    uint64_t now)
{
    ngx_agt_fleet_state_t  *fleet;

    fleet = &denials->sh->fleet;

    if (now >= fleet->polls) {
        fleet->polls_since = now;
    }

    fleet->polls = until;
}


void
ngx_agt_feed_state_polled_locked(ngx_agt_denials_t *denials, uint64_t start,
    uint64_t duration, ngx_uint_t truncated)
{
    ngx_agt_feed_state_t  *feed;

    feed = &denials->sh->feed;

    feed->failing = 0;

    if (start < feed->answered) {
        return;
    }

    feed->told = 0;
    feed->own = start;
    feed->own_last = ngx_agt_numbers_last(denials);
    feed->duration = duration;
    feed->truncated = (uint32_t) truncated;

    if (truncated == 0) {
        feed->watermark = start;
    }

    feed->answered = start;
}


ngx_uint_t
ngx_agt_feed_state_own_locked(ngx_agt_denials_t *denials,
    ngx_agt_feed_poll_t *poll, uint64_t wall, uint64_t now)
{
    uint64_t               age;
    ngx_agt_feed_state_t  *feed;

    feed = &denials->sh->feed;

    if (feed->own == 0 || feed->told) {
        return 0;
    }

    age = now - ngx_min(feed->own, now);

    ngx_memcpy(poll->id, feed->id, NGX_AGT_DIGEST_LEN);
    poll->start = wall - ngx_min(age, wall);
    poll->duration = feed->duration;
    poll->incomplete = ngx_agt_denials_incomplete(denials, now);

    return 1;
}


void
ngx_agt_feed_state_told_locked(ngx_agt_denials_t *denials,
    const ngx_agt_feed_poll_t *poll, uint64_t wall, uint64_t now)
{
    uint64_t               start;
    ngx_agt_feed_state_t  *feed;

    feed = &denials->sh->feed;

    if (feed->interval == 0
        || ngx_memcmp(feed->id, poll->id, NGX_AGT_DIGEST_LEN) != 0)
    {
        return;
    }

    start = ngx_agt_feed_state_start(poll->start, wall, now);

    if (start <= feed->answered) {
        return;
    }

    feed->failing = 0;
    feed->told = ngx_max(poll->start, 1);
    feed->duration = poll->duration;
    feed->truncated = (uint32_t) poll->incomplete;

    if (!poll->incomplete) {
        feed->watermark = start;
    }

    feed->answered = start;
}


/* when a poll of another edge began, on this edge's clock; 0: long ago */

static uint64_t
ngx_agt_feed_state_start(uint64_t start, uint64_t wall, uint64_t now)
{
    uint64_t  age;

    age = (wall > start) ? wall - start : 0;

    return now - ngx_min(age, now);
}


void
ngx_agt_feed_state_clock_locked(ngx_agt_denials_t *denials, uint64_t wall,
    uint64_t now)
{
    uint64_t               start;
    ngx_agt_feed_state_t  *feed;

    feed = &denials->sh->feed;

    if (feed->told == 0) {
        return;
    }

    start = ngx_max(ngx_agt_feed_state_start(feed->told, wall, now), 1);

    feed->answered = ngx_min(feed->answered, start);
    feed->watermark = ngx_min(feed->watermark, start);
}


/* the beginning of time is long ago, and late; 0 would be a poll to come */

void
ngx_agt_feed_state_forget_locked(ngx_agt_denials_t *denials)
{
    ngx_agt_feed_state_t  *feed;

    feed = &denials->sh->feed;

    if (feed->told) {
        feed->watermark = ngx_min(feed->watermark, 1);
    }
}
