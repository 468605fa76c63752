//! `containerfile`: the recipe of a container image that holds the program and nothing else.

use super::output;
use crate::error::Result;

/// The user of the image, who has no name and owns nothing but the data.
const USER: &str = "65532:65532";

/// The port on which the server listens in its container.
const PORT: u16 = 5000;

/// Prints the recipe.
///
/// # Errors
/// When stdout cannot be written.
pub fn run() -> Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    output::print(&format!(
        "# store-monitor {version} in an image of its own. Nothing else is in it, so the program must be a static one.
#
#   mkdir -p image/data && cp store-monitor image/
#   store-monitor containerfile > image/Containerfile
#   podman build -t store-monitor image                     # or docker, with -f image/Containerfile
#
# A server that others can reach needs a token first:
#
#   podman run --rm -v stores:/data store-monitor token add boss --scope admin
#   podman run -d --name stores -v stores:/data -p 127.0.0.1:{PORT}:{PORT} --read-only store-monitor
FROM scratch
COPY store-monitor /usr/bin/store-monitor
COPY --chown={USER} data /data
USER {USER}
WORKDIR /data
VOLUME /data
ENV STORE_MONITOR_DATABASE=/data/store-monitor.db STORE_MONITOR_LISTEN=0.0.0.0:{PORT} TMPDIR=/data
EXPOSE {PORT}
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD [\"/usr/bin/store-monitor\", \"healthcheck\"]
ENTRYPOINT [\"/usr/bin/store-monitor\"]
CMD [\"serve\"]
"
    ))
}
