function introspect(r, uri) {
    r.subrequest(uri, { method: 'POST' }, function (reply) {
        var token;

        if (reply.status != 200) {
            r.return(reply.status == 410 ? 401 : 502);
            return;
        }

        try {
            token = JSON.parse(reply.responseText);

        } catch (e) {
            r.return(502);
            return;
        }

        if (token.revoked) {
            r.return(401);
            return;
        }

        r.headersOut['Token-Sub'] = token.sub;
        r.return(204);
    });
}

function authority(r) {
    introspect(r, '/_introspect_authority');
}

function instant(r) {
    introspect(r, '/_introspect_instant');
}

export default { authority, instant };
