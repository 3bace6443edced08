"""Command line of the keeper."""

from __future__ import annotations

import argparse
import logging
import signal
import threading
from pathlib import Path

from modelwright.compute.backends.docker import DockerBackend, DockerConfig, Relay
from modelwright.compute.backends.docker.config import default_user
from modelwright.compute.backends.keeper.server import Keeper
from modelwright.compute.backends.swarm import Shelf, SwarmBackend, SwarmConfig
from modelwright.compute.images.builder import ImageBuilder

RELAY_HELP = "HOST:PORT[=HOST:PORT] that containers reach under the first name, and where this host does"


def arguments() -> argparse.Namespace:
    """What an administrator allows the containers of this host."""
    defaults = DockerConfig(root=Path("/"), instance="none")
    parser = argparse.ArgumentParser(prog="python -m modelwright.compute.backends.keeper", description=__doc__)
    parser.add_argument("--backend", choices=["docker", "swarm"], default="docker", help="containers of what")
    parser.add_argument("--socket", type=Path, required=True, help="Unix socket to answer on")
    parser.add_argument("--root", type=Path, required=True, help="folder of the workloads' folders")
    parser.add_argument("--instance", required=True, help="name of this installation: part of every container's name")
    parser.add_argument("--engine", default="", help="the engine's address; DOCKER_HOST, else the usual socket")
    parser.add_argument("--image", default=defaults.image, help="what workloads run in that name no image")
    parser.add_argument("--allow-image", action="append", default=[], help="pattern of ready images; may be repeated")
    parser.add_argument("--readable", action="append", default=[], type=Path, help="workloads may read below it")
    parser.add_argument("--writable", action="append", default=[], type=Path, help="a workload has one folder in it")
    parser.add_argument("--sources", action="append", default=[], type=Path, help="where repositories lie")
    parser.add_argument("--network", default="none", help="`none`, or a network made by `docker.network`")
    parser.add_argument(
        "--build-network", default="", help="the network of builds; the engine's own where none is given"
    )
    parser.add_argument("--uv", default="", help="the program uv, which builds environments in images")
    parser.add_argument("--runtime", default="", help="the engine's runtime, for example runsc")
    parser.add_argument("--user", default=default_user(), help="USER:GROUP in containers, as numbers")
    parser.add_argument("--relay", action="append", default=[], type=Relay.parse, help=RELAY_HELP)
    parser.add_argument("--work-bytes", type=int, default=defaults.work_bytes, help="largest working folder")
    parser.add_argument("--tmp-bytes", type=int, default=defaults.tmp_bytes, help="size of /tmp")
    parser.add_argument("--shm-bytes", type=int, default=defaults.shm_bytes, help="size of /dev/shm")
    parser.add_argument("--patience", type=float, default=defaults.patience_seconds, help="seconds without an engine")
    parser.add_argument("--shelf", type=Shelf.parse, help="swarm: HOST:PORT of this host that all its nodes reach")
    parser.add_argument("--entrance", type=int, default=0, help="swarm: port of this host that leads to its replicas")
    parser.add_argument("--entrance-cert", type=Path, help="swarm: certificate chain; without it that is not encrypted")
    parser.add_argument("--entrance-key", type=Path, help="swarm: its private key")
    parser.add_argument("--encrypt", action="store_true", help="swarm: encrypt what goes between its nodes")
    parser.add_argument("--registry", default="", help="swarm: where nodes find the images of environments")
    parser.add_argument("--gpu-resource", default="gpu", help="swarm: the generic resource that stands for a GPU")
    parser.add_argument("--allow-user", action="append", default=[], type=int, help="user that may ask besides its own")
    given = parser.parse_args()
    if (given.entrance_cert is None) != (given.entrance_key is None):
        parser.error("--entrance-cert and --entrance-key belong together")
    return given


def patterns(given: list[str]) -> list[str]:
    """Each may hold several, with commas between them, as the platform's own setting does."""
    return [one.strip() for text in given for one in text.split(",") if one.strip()]


def main() -> None:
    """Serves until SIGTERM or SIGINT. Containers go on without it."""
    given = arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    backend = swarm_backend(given) if given.backend == "swarm" else docker_backend(given)
    builder = ImageBuilder(
        backend.root.parent / "images",
        instance=given.instance,
        engine=given.engine,
        uv=given.uv,
        network=given.build_network,
        registry=given.registry,
    )
    keeper = Keeper(given.socket, backend, builder, given.allow_user)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=keeper.close).start())
    logging.getLogger(__name__).info("keeping the containers of %s", given.instance)
    keeper.serve()
    backend.close()


def docker_backend(given: argparse.Namespace) -> DockerBackend:
    """Containers of this host's engine."""
    config = DockerConfig(
        root=given.root.absolute(),
        instance=given.instance,
        engine=given.engine,
        image=given.image,
        images=patterns(given.allow_image),
        readable=given.readable,
        writable=[folder.absolute() for folder in given.writable],
        sources=given.sources,
        network=given.network,
        runtime=given.runtime,
        user=given.user,
        relays=given.relay,
        work_bytes=given.work_bytes,
        tmp_bytes=given.tmp_bytes,
        shm_bytes=given.shm_bytes,
        patience_seconds=given.patience,
    )
    return DockerBackend(config)


def swarm_backend(given: argparse.Namespace) -> SwarmBackend:
    """Services of the swarm that this host's engine manages."""
    config = SwarmConfig(
        root=given.root.absolute(),
        instance=given.instance,
        engine=given.engine,
        image=given.image,
        images=patterns(given.allow_image),
        registry=given.registry,
        readable=given.readable,
        user=given.user,
        network="" if given.network == "none" else given.network,
        is_encrypted=given.encrypt,
        shelf=given.shelf,
        entrance=given.entrance,
        certificate=given.entrance_cert,
        key=given.entrance_key,
        gpu_resource=given.gpu_resource,
        tmp_bytes=given.tmp_bytes,
        shm_bytes=given.shm_bytes,
        work_bytes=given.work_bytes,
        patience_seconds=given.patience,
    )
    return SwarmBackend(config)


if __name__ == "__main__":
    main()
