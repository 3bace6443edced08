// JupyterLab drops a cell that is run between the opening of its notebook and the start of its kernel: nothing happens,
// nothing is said, and it has to be run again. On a busy host that time is seconds. Here the cell waits, marked [*].
//
// Written by hand as what a build would make of it (a container of webpack's module federation), so that no build is
// needed. Where a version of JupyterLab has no such function, nothing is changed.
(() => {
  "use strict";
  const LOOK_MS = 50;
  const coming = new WeakMap();
  let scope;

  // The module as JupyterLab itself has loaded it.
  const shared = async (name) => {
    const [version] = Object.values(scope[name] || {});
    return version ? (await version.get())() : undefined;
  };

  // One promise for all cells of a notebook, so that they go on in the order in which they were run.
  const kernelOf = (context) => {
    if (!coming.has(context)) {
      const wait = async () => {
        // Without a name of a kernel none is coming: there is none, or its start failed, which JupyterLab says.
        while (!context.isDisposed && !context.session?.kernel && !context.hasNoKernel) {
          await new Promise((done) => setTimeout(done, LOOK_MS));
        }
        coming.delete(context);
      };
      coming.set(context, wait());
    }
    return coming.get(context);
  };

  const activate = async () => {
    const cells = await shared("@jupyterlab/cells");
    const execute = cells?.CodeCell?.execute;
    if (typeof execute !== "function") {
      return;
    }
    cells.CodeCell.execute = async (cell, context, metadata) => {
      const isCode = Boolean(cell.model.sharedModel.getSource().trim());
      if (isCode && (coming.has(context) || (!context.session?.kernel && !context.hasNoKernel))) {
        cell.model.executionState = "running";
        await kernelOf(context);
        if (cell.isDisposed) {
          return undefined;
        }
      }
      return execute(cell, context, metadata);
    };
  };

  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB.modelwright = {
    init: (given) => {
      scope = given;
    },
    get: async () => () => ({
      __esModule: true,
      default: {
        id: "modelwright:patience",
        description: "Has a cell that is run while its kernel starts wait for it.",
        autoStart: true,
        activate,
      },
    }),
  };
})();
