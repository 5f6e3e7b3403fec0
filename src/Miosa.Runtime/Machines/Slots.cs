namespace Miosa.Runtime.Machines;

/// <summary>Numbers machines: a slot is an id range and a network. The next free one after the last, so that a number rests before it is used again.</summary>
internal sealed class Slots(int count)
{
    private readonly Lock turn = new();
    private readonly HashSet<int> taken = [];
    private int last = -1;

    /// <returns>Null when all are taken.</returns>
    public int? Take()
    {
        lock (turn)
        {
            for (var step = 1; step <= count; step++)
            {
                var slot = (last + step) % count;
                if (!taken.Add(slot)) continue;
                return last = slot;
            }
            return null;
        }
    }

    public void Occupy(int slot)
    {
        lock (turn)
        {
            taken.Add(slot);
            last = Math.Max(last, slot);
        }
    }

    public void Release(int slot)
    {
        lock (turn) taken.Remove(slot);
    }
}
