using Miosa.Runtime.Tests;

[assembly: AssemblyFixture(typeof(RuntimeFixture))]
// The machines of several classes at once would measure each other on two cores.
[assembly: Xunit.v3.Parallelization(Mode = Xunit.Sdk.ParallelMode.None)]
