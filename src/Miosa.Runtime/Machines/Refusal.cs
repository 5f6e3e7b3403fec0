namespace Miosa.Runtime.Machines;

/// <summary>A request that is refused with one of <see cref="Wire.RuntimeErrors"/>.</summary>
internal sealed class Refusal(string code, string message) : Exception(message)
{
    public string Code => code;
}
